"""The precisions of the embedding model, one thread each: speed, nearness to fp32, recall.

They take turns on the same token ids, and the best pass of each counts: where neighbours take the
cores, ratios hold better than rates. Recall is that of a ranking by cosine alone.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from bench.reporting import ROOT, Result, say, tabulate, write_result
from serve_app.embedding.chunking import Chunker, Passage
from serve_app.embedding.engine import Engine, TokenIds
from serve_app.embedding.preparation import prepare_model
from serve_app.embedding.queueing import plan_batches
from serve_app.embedding.registry import MINILM, MINILM_INT8, ModelSpec
from serve_app.evaluation.corpora import Corpus
from serve_app.evaluation.locomo import load_conversations
from serve_app.settings import load_settings

CONVERSATIONS = ROOT.parent / "shared" / "data" / "locomo-0-4.json"
SHAPES = ((1, 10), (8, 14), (8, 32), (32, 32), (8, 250))
"""Texts and tokens of the timed batches."""

PASS_SECONDS = 0.1
BATCH_TOKENS = 512
TOP_K = 10

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """Unit vectors of a conversation's turns and questions, (n, dimension)."""

    turns: Floats
    questions: Floats


def main(
    rounds: Annotated[int, typer.Option(help="Turns that each precision takes.")] = 9,
    talks: Annotated[int, typer.Option(help="Conversations to embed; 0 leaves recall out.")] = 5,
    data: Annotated[Path, typer.Option(help="A file in LoCoMo's form.")] = CONVERSATIONS,
) -> None:
    """Compare the precisions; example: python -m bench precision --rounds 5 --talks 1."""
    engines = {spec.precision: open_one(spec) for spec in (MINILM, MINILM_INT8)}
    speeds = measure_speeds(engines, rounds)
    rows: list[Result] = [{"precision": name, **speeds[name]} for name in engines]
    conversations = load_conversations(data)[:talks] if talks and data.exists() else []
    if not conversations:
        say("no conversations: cosine and recall are left out")
    else:
        embedded = {name: embed_all(engine, conversations) for name, engine in engines.items()}
        for row in rows:
            row |= compare(embedded[row["precision"]], embedded["fp32"], conversations)
    print(tabulate(rows))
    write_result("precision", {"rounds": rounds, "talks": len(conversations), "rows": rows})


def open_one(spec: ModelSpec) -> Engine:
    """The prepared model on one thread."""
    directory = load_settings().model_directory.expanduser()
    prepare_model(spec, directory, say)
    engine = Engine(spec, directory, threads=1)
    engine.warm_up()
    return engine


def measure_speeds(engines: dict[str, Engine], rounds: int) -> dict[str, Result]:
    """Embeddings/s of each by shape, and how many times those of fp32 they are."""
    random = np.random.default_rng(7)
    speeds: dict[str, Result] = {name: {} for name in engines}
    for texts, tokens in SHAPES:
        say(f"timing {texts} x {tokens} tokens")
        batch = list(random.integers(1000, 20_000, (texts, tokens)))
        best = dict.fromkeys(engines, 0.0)
        for _ in range(rounds):
            for name, engine in engines.items():
                best[name] = max(best[name], time_pass(engine, batch))
        for name, rate in best.items():
            speeds[name][f"{texts}x{tokens}/s"] = round(rate, 1)
            speeds[name][f"{texts}x{tokens} ratio"] = round(rate / best["fp32"], 2)
    return speeds


def time_pass(engine: Engine, batch: list[TokenIds]) -> float:
    """Embeddings/s over the time of a pass."""
    engine.run(batch)
    started, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - started) < PASS_SECONDS or count < 2:
        engine.run(batch)
        count += 1
    return count * len(batch) / seconds


def embed_all(engine: Engine, conversations: list[Corpus]) -> list[Embedded]:
    """The vectors of every conversation."""
    say(f"embedding {len(conversations)} conversations with {engine.spec.name}")
    return [
        Embedded(
            embed_texts(engine, [turn.text for turn in talk.items]),
            embed_texts(engine, [question.text for question in talk.questions]),
        )
        for talk in conversations
    ]


def embed_texts(engine: Engine, texts: list[str]) -> Floats:
    """Each text's vector, of what the model reads of it; (n, dimension)."""
    chunker = Chunker(engine.tokenizer, engine.spec.max_tokens)
    token_ids = [cut.token_ids for cut in chunker.cut_queries(texts) if isinstance(cut, Passage)]
    vectors = np.empty((len(texts), engine.spec.dimension), np.float32)
    for indices in plan_batches([len(ids) for ids in token_ids], BATCH_TOKENS):
        vectors[indices] = engine.run([token_ids[index] for index in indices])
    return vectors


def compare(embedded: list[Embedded], exact: list[Embedded], conversations: list[Corpus]) -> Result:
    """Cosines to fp32 over all texts, and recall@10 by cosine alone, in percent."""
    cosines = np.concatenate(
        [
            np.sum(ours * theirs, axis=1)
            for one, other in zip(embedded, exact, strict=True)
            for ours, theirs in ((one.turns, other.turns), (one.questions, other.questions))
        ]
    )
    recalls: list[float] = []
    for vectors, talk in zip(embedded, conversations, strict=True):
        order = np.argsort(-(vectors.questions @ vectors.turns.T), axis=1, kind="stable")
        for question, best in zip(talk.questions, order[:, :TOP_K], strict=True):
            found = set(question.relevant) & {talk.items[index].id for index in best}
            recalls.append(len(found) / len(question.relevant))
    return {
        "cosine mean": round(float(cosines.mean()), 5),
        "cosine min": round(float(cosines.min()), 4),
        "recall@10 %": round(100 * float(np.mean(recalls)), 2),
    }
