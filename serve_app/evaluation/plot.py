"""The figures of a report as a picture."""

from pathlib import Path
from typing import Any

from serve_app.evaluation.extras import load_library
from serve_app.evaluation.metrics import DEPTHS
from serve_app.evaluation.report import OVERALL, Report


def plot_report(report: Report, path: Path, title: str) -> None:
    """Recall by depth over all questions, and recall@10 by category; the name decides the format.

    Raises ConfigurationError where matplotlib is missing.
    """
    load_library("matplotlib").use("Agg")
    pyplot = load_library("matplotlib.pyplot")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5), width_ratios=(2, 3))
    _draw_depths(left, report)
    _draw_categories(right, report)
    for plane in (left, right):
        plane.set_ylim(0, 1)
        plane.grid(alpha=0.3, axis="y")
    left.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=100, bbox_inches="tight")
    pyplot.close(figure)


def _draw_depths(plane: Any, report: Report) -> None:
    for label, groups in report.scores.items():
        scores = groups[OVERALL] if OVERALL in groups else next(iter(groups.values()))
        plane.plot(DEPTHS, [scores[f"recall@{k}"] for k in DEPTHS], marker="o", label=label)
    plane.set_xticks(DEPTHS)
    plane.set(title="recall by depth, overall", xlabel="k", ylabel="recall@k")


def _draw_categories(plane: Any, report: Report) -> None:
    width = 0.8 / max(1, len(report.scores))
    for place, (label, groups) in enumerate(report.scores.items()):
        across = [number + place * width for number in range(len(groups))]
        bars = plane.bar(
            across, [scores["recall@10"] for scores in groups.values()], width, label=label
        )
        plane.bar_label(bars, fmt="%.2f", fontsize=7)
        middle = [number + 0.4 - width / 2 for number in range(len(groups))]
        plane.set_xticks(middle, list(groups), rotation=15)
    plane.set_title("recall@10 by category")
