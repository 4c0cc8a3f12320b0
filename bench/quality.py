"""The reference's recall on conversations, and how far the service's own figures lie from it.

It needs no service: texts are embedded here and ranked in full. `fleetmem eval` measures the
service.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from bench.precision import embed_texts, open_one
from bench.reference import METHODS, Reference, order_items
from bench.reporting import ROOT, Result, say, tabulate, write_result
from serve_app.embedding.registry import MINILM
from serve_app.evaluation.asking import Answered
from serve_app.evaluation.corpora import Corpus
from serve_app.evaluation.locomo import load_conversations
from serve_app.evaluation.report import OVERALL, make_report

CONVERSATIONS = ROOT.parent / "shared" / "data" / "locomo-0-4.json"
TOP_K = 50
METRICS = ("recall@5", "recall@10", "recall@20", "recall@50", "MRR@20", "nDCG@10")

Vectors = NDArray[np.float32]
Figures = dict[str, dict[str, dict[str, float]]]
"""Metrics by method and category."""


def main(
    data: Annotated[Path, typer.Option(help="A file in LoCoMo's form.")] = CONVERSATIONS,
    against: Annotated[
        Path | None, typer.Option(help="What `fleetmem eval locomo --output` wrote.")
    ] = None,
) -> None:
    """Rank with numpy and bm25s alone; example: python -m bench quality --against scores.json."""
    engine = open_one(MINILM)
    answered: list[Answered] = []
    for corpus in load_conversations(data):
        say(f"{corpus.name}: {len(corpus.items)} items, {len(corpus.questions)} questions")
        items = embed_texts(engine, [item.text for item in corpus.items])
        questions = embed_texts(engine, [question.text for question in corpus.questions])
        answered += ask_reference(corpus, items, questions)
    scores = _round(make_report(answered, seed=0).scores)
    print(tabulate(_list_rows(scores)))
    if against:
        served: Figures = _round(json.loads(against.read_text("utf-8"))["profiles"])
        print(tabulate(compare(served, scores)))
    write_result("quality", {"data": data.name, "scores": scores})


def ask_reference(corpus: Corpus, items: Vectors, questions: Vectors) -> list[Answered]:
    """Every question under every method, from unit vectors of shape (n, dimension)."""
    reference = Reference.of(corpus.items, items)
    return [
        Answered(
            question,
            {
                name: order_items(reference, score(reference, question, vector), TOP_K)
                for name, score in METHODS.items()
            },
        )
        for question, vector in zip(corpus.questions, questions, strict=True)
    ]


def compare(served: Figures, scores: Figures) -> list[Result]:
    """What the service found minus what the reference did, profile by profile of the same name.

    `decay:alpha=1` is the vector alone.
    """
    names = {"decay:alpha=1": "vector"} | {name: name for name in METHODS}
    return [
        {"service - reference": label, "category": group}
        | {name: found[name] - scores[names[label]][group][name] for name in METRICS}
        for label, groups in served.items()
        if label in names
        for group, found in groups.items()
    ]


def _list_rows(scores: Figures) -> Sequence[Result]:
    return [
        {"method": method, "category": group, "n": found["n"]}
        | {name: found[name] for name in METRICS}
        for method, groups in scores.items()
        for group, found in groups.items()
        if group == OVERALL or group.startswith("5")
    ]


def _round(scores: Figures) -> Figures:
    return {
        method: {
            group: {name: round(value, 4) for name, value in found.items()}
            for group, found in groups.items()
        }
        for method, groups in scores.items()
    }
