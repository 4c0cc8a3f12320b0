"""Ask a service every question of a corpus, and average how well it found the evidence."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Any

from serve_app.evaluation.client import MemoryClient, Progress
from serve_app.evaluation.locomo import Conversation
from serve_app.evaluation.metrics import ndcg_at, recall_at, reciprocal_rank

ADVERSARIAL = 5
NAMES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}

Scores = dict[str, float]
"""The value of each metric, and `n`, the number of questions."""


def measure(ranked: list[Hashable], relevant: frozenset[Hashable]) -> Scores:
    """Every metric of one question."""
    return {
        "recall@5": recall_at(ranked, relevant, 5),
        "recall@10": recall_at(ranked, relevant, 10),
        "recall@20": recall_at(ranked, relevant, 20),
        "MRR": reciprocal_rank(ranked, relevant),
        "nDCG@10": ndcg_at(ranked, relevant, 10),
    }


def ask_all(
    client: MemoryClient,
    conversation: Conversation,
    stored: dict[str, Any],
    options: dict[str, Any],
    progress: Progress,
) -> list[tuple[int, Scores]]:
    """Category and scores of each question, ranked as of the last turn unless `options` say."""
    top_k = int(options["top_k"])
    last = max(turn.occurred_at for turn in conversation.turns).isoformat()
    asked = {"as_of": last} | {k: v for k, v in options.items() if k != "top_k" and v is not None}
    scores: list[tuple[int, Scores]] = []
    for question in conversation.questions:
        hits = client.search(conversation.name, question.text, top_k, asked)
        ranked: list[Hashable] = [
            stored[hit["id"]].id if hit["id"] in stored else hit["id"] for hit in hits
        ]
        scores.append((question.category, measure(ranked, frozenset(question.evidence))))
        progress(1)
    return scores


def summarise_scores(scores: Iterable[tuple[int, Scores]]) -> dict[str, Scores]:
    """The mean by category, and of categories 1 to 4 together as `overall`."""
    groups: dict[str, list[Scores]] = defaultdict(list)
    for category, values in sorted(scores, key=lambda entry: entry[0]):
        groups[f"{category} {NAMES.get(category, 'other')}"].append(values)
        if category != ADVERSARIAL:
            groups["overall 1-4"].append(values)
    return {name: _average(group) for name, group in groups.items()}


def _average(group: list[Scores]) -> Scores:
    means = {metric: sum(row[metric] for row in group) / len(group) for metric in group[0]}
    return {"n": len(group), **means}
