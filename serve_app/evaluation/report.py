"""What an evaluation found: means by category, differences between profiles, as table and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from serve_app.evaluation.asking import Answered
from serve_app.evaluation.comparison import bootstrap_difference
from serve_app.evaluation.metrics import METRICS, Scores, score_rankings

OVERALL = "overall"
SHOWN = ("recall@5", "recall@10", "recall@20", "recall@50", "hit@10", "MRR@20", "nDCG@10")
"""What fits a narrow terminal; the JSON holds all."""

COMPARED = ("recall@10", "MRR@20", "nDCG@10")

Groups = dict[str, list[int]]
"""The questions of each category, and of `overall`, by their numbers."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one group: `profile` minus `against`, with its 95 % interval."""

    profile: str
    against: str
    group: str
    metric: str
    difference: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Report:
    """`scores[profile][group]` are means over the `n` questions of the group."""

    scores: dict[str, dict[str, Scores]]
    comparisons: list[Comparison]

    def write_json(self, path: Path, about: dict[str, Any]) -> None:
        """`about` first, then all figures."""
        found = {"profiles": self.scores, "comparisons": [asdict(one) for one in self.comparisons]}
        path.write_text(json.dumps(about | found, indent=2) + "\n", encoding="utf-8")

    def tabulate(self) -> list[Table]:
        """One table for each profile, and one for each comparison with the first."""
        tables = [_tabulate_scores(label, groups) for label, groups in self.scores.items()]
        return tables + _tabulate_comparisons(self.comparisons)


def make_report(answered: Sequence[Answered], seed: int) -> Report:
    """Scores of every profile, and each later profile against the first."""
    groups = _group(answered)
    labels = list(answered[0].ranked) if answered else []
    relevant = [answer.question.relevant for answer in answered]
    by_label = {
        label: score_rankings([answer.ranked[label] for answer in answered], relevant)
        for label in labels
    }
    return Report(
        scores={
            label: {name: _average(rows, group) for name, group in groups.items()}
            for label, rows in by_label.items()
        },
        comparisons=[
            _compare((labels[0], label), by_label, name, groups[name], metric, seed)
            for label in labels[1:]
            for name in groups
            for metric in COMPARED
            if len(groups[name]) > 1
        ],
    )


def _group(answered: Sequence[Answered]) -> Groups:
    groups: Groups = {}
    for number in sorted(range(len(answered)), key=lambda n: answered[n].question.category):
        groups.setdefault(answered[number].question.category, []).append(number)
    overall = [n for n, answer in enumerate(answered) if not answer.question.beside]
    return {OVERALL: overall} | groups if overall else groups


def _average(rows: Sequence[Scores], group: Sequence[int]) -> Scores:
    means = {name: sum(rows[n][name] for n in group) / len(group) for name in METRICS.values()}
    return {"n": len(group), **means}


def _compare(
    labels: tuple[str, str],
    by_label: dict[str, list[Scores]],
    name: str,
    group: Sequence[int],
    metric: str,
    seed: int,
) -> Comparison:
    against, label = labels
    one, other = ([by_label[which][n][metric] for n in group] for which in (label, against))
    found = bootstrap_difference(one, other, seed)
    return Comparison(label, against, name, metric, found.mean, found.low, found.high, found.n)


def _tabulate_scores(label: str, groups: dict[str, Scores]) -> Table:
    table = Table(title=label, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("category", no_wrap=True)
    for heading in ("n", *SHOWN):
        table.add_column(heading.replace("@", "\n@"), justify="right", no_wrap=True)
    for name, scores in groups.items():
        table.add_row(name, f"{scores['n']:.0f}", *(f"{scores[metric]:.3f}" for metric in SHOWN))
    return table


def _tabulate_comparisons(comparisons: Sequence[Comparison]) -> list[Table]:
    tables: dict[str, Table] = {}
    for one in comparisons:
        title = f"{one.profile} minus {one.against}"
        if title not in tables:
            tables[title] = Table(title=title, title_justify="left", box=SIMPLE)
            for heading in ("category", "metric", "difference", "95 % interval"):
                tables[title].add_column(heading, no_wrap=True)
        interval = f"[{one.low:+.3f}, {one.high:+.3f}]"
        tables[title].add_row(one.group, one.metric, f"{one.difference:+.3f}", interval)
    return list(tables.values())
