"""One whole evaluation: store, ask, score, tell."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import Progress

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.asking import Answered, Manner, ask_corpus
from serve_app.evaluation.client import open_client
from serve_app.evaluation.corpora import Corpus
from serve_app.evaluation.extras import load_library
from serve_app.evaluation.options import EvaluationOptions
from serve_app.evaluation.plot import plot_report
from serve_app.evaluation.profiles import DECAY, Profile, read_profiles
from serve_app.evaluation.report import Report, make_report


def run_evaluation(
    name: str,
    corpora: Sequence[Corpus],
    options: EvaluationOptions,
    console: Console | None = None,
) -> Report:
    """Ask each corpus in a scope of its own under every profile; print tables, write files."""
    console = console or Console(highlight=False)
    profiles = read_profiles(options.profile or [DECAY], options.alpha)
    if not any(corpus.questions for corpus in corpora):
        raise ConfigurationError(f"{name} holds no question whose answer is known")
    # What is missing is said before the work, not after it.
    for library in ("pytrec_eval", "scipy.stats", *(("matplotlib",) if options.plot else ())):
        load_library(library)
    report = make_report(_ask_all(corpora, profiles, options, console), options.seed)
    about = _describe(name, corpora, profiles, options)
    _tell(report, about, options, console)
    return report


def _ask_all(
    corpora: Sequence[Corpus],
    profiles: Sequence[Profile],
    options: EvaluationOptions,
    console: Console,
) -> list[Answered]:
    manner = Manner(options.top_k, options.sessions, options.keep)
    with (
        open_client(options.url, options.key, options.concurrency) as client,
        Progress(console=console, transient=True) as bar,
    ):
        return [
            answered
            for number, corpus in enumerate(corpora)
            for answered in ask_corpus(client, f"corpus-{number}", corpus, profiles, manner, bar)
        ]


def _tell(
    report: Report, about: dict[str, Any], options: EvaluationOptions, console: Console
) -> None:
    for note in about["notes"]:
        console.print(note)
    for table in report.tabulate():
        console.print(table)
    if options.output:
        report.write_json(options.output, about)
    if options.plot:
        title = f"{about['data']}: {about['memories']:,} memories, {about['questions']:,} questions"
        plot_report(report, options.plot, title)


def _describe(
    name: str,
    corpora: Sequence[Corpus],
    profiles: Sequence[Profile],
    options: EvaluationOptions,
) -> dict[str, Any]:
    return {
        "data": name,
        "memories": sum(len(corpus.items) for corpus in corpora),
        "questions": sum(len(corpus.questions) for corpus in corpora),
        "notes": [f"{corpus.name}: {note}" for corpus in corpora for note in corpus.notes],
        "top_k": options.top_k,
        "sessions": options.sessions,
        "seed": options.seed,
        "asked": {profile.label: profile.fields for profile in profiles},
    }
