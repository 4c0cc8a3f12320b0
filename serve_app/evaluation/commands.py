"""`fleetmem eval` and `fleetmem demo`: each command loads what it needs when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from serve_app.evaluation.options import DEFAULT_URL, EvaluationOptions, Key, Url, take_options

app = typer.Typer(help="Measure retrieval on a running service.", no_args_is_help=True)

DEMO_DATA = Path("../shared/data/locomo-0-4.json")


@app.command(
    epilog="Example: fleetmem eval locomo --data locomo-0-4.json --profile decay --alpha 1"
)
@take_options
def locomo(
    data: Annotated[Path, typer.Option(help="A file in LoCoMo's form.")],
    options: EvaluationOptions,
    conversation: Annotated[
        list[int] | None, typer.Option(help="Number of a conversation; repeat it. Default: all.")
    ] = None,
    category: Annotated[
        list[int] | None, typer.Option(help="1 to 5; repeat it. Default: all, 5 beside.")
    ] = None,
) -> None:
    """Long conversations: recall, hit rate, MRR and nDCG by category, overall without 5."""
    from serve_app.evaluation.locomo import load_conversations, pick_conversations
    from serve_app.evaluation.run import run_evaluation

    corpora = pick_conversations(load_conversations(data), conversation or [], category or [])
    run_evaluation(data.name, corpora, options)


@app.command(epilog="Example: fleetmem eval beir ./scifact --profile hybrid")
@take_options
def beir(
    directory: Annotated[Path, typer.Argument(help="Holds corpus.jsonl, queries.jsonl and qrels.")],
    options: EvaluationOptions,
    split: Annotated[str, typer.Option(help="Which qrels: qrels/SPLIT.tsv.")] = "test",
) -> None:
    """A corpus in BEIR's form; documents are cut at what the API takes, and counted."""
    from serve_app.evaluation.beir import load_beir
    from serve_app.evaluation.run import run_evaluation

    run_evaluation(directory.resolve().name, [load_beir(directory, split)], options)


@app.command(epilog="Example: fleetmem eval jsonl my-questions.jsonl --profile decay")
@take_options
def jsonl(
    files: Annotated[list[Path], typer.Argument(help="JSON lines; docs/quality.md has the form.")],
    options: EvaluationOptions,
) -> None:
    """Your own memories and questions."""
    from serve_app.evaluation.jsonl import load_lines
    from serve_app.evaluation.run import run_evaluation

    corpora = [corpus for file in files for corpus in load_lines(file)]
    run_evaluation(", ".join(file.name for file in files), corpora, options)


def demo(
    data: Annotated[Path, typer.Option(help="A file in LoCoMo's form.")] = DEMO_DATA,
    url: Url = DEFAULT_URL,
    key: Key = None,
    questions: Annotated[int, typer.Option(min=1, help="How many to ask.")] = 5,
) -> None:
    """Load one conversation into a running service, and ask it some of its questions."""
    from rich.console import Console

    from serve_app.evaluation.demo import run_demo

    run_demo(Console(highlight=False), data, url, key, questions)
