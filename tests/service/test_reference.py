"""The service and an independent ranking (bench/reference.py) agree on a dialogue of our own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.precision import embed_texts, open_one
from bench.quality import ask_reference
from bench.reference import Reference
from serve_app.core.profiles import PROFILES
from serve_app.embedding.registry import MINILM
from serve_app.evaluation.asking import Answered
from serve_app.evaluation.client import MemoryClient
from serve_app.evaluation.corpora import Corpus, Question
from serve_app.evaluation.jsonl import load_lines
from serve_app.evaluation.report import OVERALL, make_report
from tests.service.running import RunningService

DIALOGUE = Path(__file__).parent / "dialogue.jsonl"
USER = "dialogue"
DEPTH = 50

Vectors = NDArray[np.float32]
Stored = tuple[MemoryClient, dict[str, str]]
"""The client, and the ids of the items by the ids of their memories."""

Hits = dict[str, dict[str, Any]]
"""By the id of an item, best first: what the service says of it."""


def ignore(done: int) -> None:
    pass


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    [corpus] = load_lines(DIALOGUE)
    return corpus


@pytest.fixture(scope="module")
def vectors(corpus: Corpus) -> tuple[Vectors, Vectors]:
    """Those of the items, and those of the questions."""
    engine = open_one(MINILM)
    texts = [item.text for item in corpus.items], [q.text for q in corpus.questions]
    return embed_texts(engine, texts[0]), embed_texts(engine, texts[1])


@pytest.fixture(scope="module")
def stored(service: RunningService, corpus: Corpus) -> Iterator[Stored]:
    with service.client() as http:
        client = MemoryClient(http, "reference")
        stored = client.load(USER, corpus.items, True, ignore)
        yield client, stored
        client.forget(list(stored), ignore)


@pytest.fixture(scope="module")
def found(corpus: Corpus, stored: Stored) -> dict[str, list[Hits]]:
    """What each profile finds for every question."""
    client, names = stored
    return {
        profile: [
            {names[hit["id"]]: hit for hit in hits}
            for hits in client.search_all(
                USER, [write_search(question, profile) for question in corpus.questions], ignore
            )
        ]
        for profile in ("hybrid", "conversation")
    }


def write_search(question: Question, profile: str) -> dict[str, Any]:
    assert question.as_of is not None
    moment = question.as_of.isoformat()
    asked = {"query": question.text, "profile": profile, "as_of": moment}
    return {**asked, "top_k": DEPTH, "explain": True}


def test_hybrid_ranks_as_the_reference_does(
    corpus: Corpus, vectors: tuple[Vectors, Vectors], found: dict[str, list[Hits]]
) -> None:
    reference = Reference.of(corpus.items, vectors[0])
    weights = PROFILES["hybrid"].weights
    names = [item.id for item in corpus.items]
    for question, vector, hits in zip(corpus.questions, vectors[1], found["hybrid"], strict=True):
        similarity = reference.vector(question, vector)
        words = reference.bm25(question, vector)
        # Of some questions no memory has a word.
        words = words / (words.max() or 1.0)
        for name, hit in hits.items():
            signals = hit["explanation"]["signals"]
            place = names.index(name)
            assert signals["similarity"]["raw"] == pytest.approx(similarity[place], abs=2e-3)
            assert signals["words"]["raw"] == pytest.approx(words[place], abs=1e-3), question.text
        scores = weights["similarity"] * similarity + weights["words"] * words
        ours = [scores[names.index(name)] for name in hits]
        assert ours == pytest.approx(sorted(scores, reverse=True)[:DEPTH], abs=2e-3), question.text


def test_profiles_find_what_the_reference_finds(
    corpus: Corpus, vectors: tuple[Vectors, Vectors], found: dict[str, list[Hits]]
) -> None:
    reference = make_report(ask_reference(corpus, *vectors), 0).scores
    served = make_report(
        [
            Answered(question, {profile: list(hits[number]) for profile, hits in found.items()})
            for number, question in enumerate(corpus.questions)
        ],
        0,
    ).scores
    for profile in found:
        ours, theirs = (scores[profile][OVERALL] for scores in (served, reference))
        for metric in ("recall@10", "recall@20", "nDCG@10"):
            # 28 questions: one of them is .036.
            assert ours[metric] == pytest.approx(theirs[metric], abs=0.05), (profile, ours, theirs)
