"""What `fleetmem eval` and `fleetmem demo` do, and how they print it."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.client import MemoryClient, open_client
from serve_app.evaluation.locomo import Conversation, Question, load_conversations
from serve_app.evaluation.run import Scores, ask_all, summarise_scores

DEMO_DATA = Path("../shared/data/locomo-0-4.json")


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What to load and how to ask; `alpha` None leaves the service's own default."""

    data: Path
    url: str = "http://127.0.0.1:8000"
    conversations: tuple[int, ...] = ()
    alpha: float | None = None
    top_k: int = 20
    keep: bool = False
    output: Path | None = None


def run_eval(options: EvaluationOptions, console: Console) -> dict[str, Scores]:
    """Load, ask, print the table, write the JSON; the memories are deleted unless kept."""
    chosen = _choose(load_conversations(options.data), options.conversations)
    asked = {"alpha": options.alpha, "top_k": options.top_k}
    with open_client(options.url) as client, Progress(console=console, transient=True) as bar:
        scores = [
            score for one in chosen for score in _evaluate(client, one, asked, bar, options.keep)
        ]
    summary = summarise_scores(scores)
    console.print(_tabulate(summary))
    if options.output:
        report = {**asked, "data": options.data.name, "scores": summary}
        options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return summary


def run_demo(
    console: Console, data: Path = DEMO_DATA, url: str = "http://127.0.0.1:8000", questions: int = 5
) -> None:
    """Load the first conversation of `data`, ask some questions, print the hits, clean up."""
    conversation = _choose(load_conversations(data), (0,))[0]
    with open_client(url) as client, ExitStack() as cleaning:
        stored = client.load(conversation, lambda done: None)
        cleaning.callback(client.forget, list(stored), lambda done: None)
        console.print(f"Stored {len(stored)} turns of conversation {conversation.name}.\n")
        last = conversation.turns[-1].occurred_at.isoformat()
        for question in _spread(conversation.questions, questions):
            asked = {"as_of": last, "explain": True, "alpha": 1.0}
            hits = client.search(conversation.name, question.text, 5, asked)
            evidence = {key for key, turn in stored.items() if turn.id in question.evidence}
            console.print(_show_hits(question, hits, evidence))


def _evaluate(
    client: MemoryClient,
    conversation: Conversation,
    asked: dict[str, Any],
    bar: Progress,
    keep: bool,
) -> list[tuple[int, Scores]]:
    total = len(conversation.turns) * (1 if keep else 2) + len(conversation.questions)
    task = bar.add_task(f"conversation {conversation.name}", total=total)

    def advance(done: int) -> None:
        bar.advance(task, done)

    with ExitStack() as cleaning:
        stored = client.load(conversation, advance)
        if not keep:
            cleaning.callback(client.forget, list(stored), advance)
        return ask_all(client, conversation, stored, asked, advance)


def _choose(conversations: list[Conversation], numbers: Sequence[int]) -> list[Conversation]:
    for number in numbers:
        if not 0 <= number < len(conversations):
            raise ConfigurationError(
                f"there is no conversation {number}: take 0 to {len(conversations) - 1}"
            )
    return [conversations[number] for number in numbers] if numbers else conversations


def _spread(questions: Sequence[Question], count: int) -> Sequence[Question]:
    """`count` questions from all over the list."""
    return questions[:: max(1, len(questions) // max(1, count))][:count]


def _tabulate(summary: dict[str, Scores]) -> Table:
    table = Table("category", *next(iter(summary.values()), {}))
    for name, scores in summary.items():
        cells = [f"{v:.0f}" if metric == "n" else f"{v:.3f}" for metric, v in scores.items()]
        table.add_row(name, *cells)
    return table


def _show_hits(question: Question, hits: list[dict[str, Any]], evidence: set[str]) -> Table:
    title = Text(f"{question.text}\nexpected: {question.answer}")
    table = Table("score", "similarity", "recency", "memory", title=title, title_justify="left")
    for hit in hits:
        signals = hit["explanation"]
        table.add_row(
            f"{hit['score']:.3f}",
            f"{signals['similarity']:.3f}",
            f"{signals['recency']:.3f}",
            Text(("* " if hit["id"] in evidence else "  ") + hit["content"]),
        )
    return table
