"""The options that every evaluation takes, declared once."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_URL = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option(help="The running service.")]
Key = Annotated[
    str | None,
    typer.Option(envvar="FLEETMEM_API_KEY", show_envvar=True, help="A key of that service."),
]


@dataclass(frozen=True)
class EvaluationOptions:
    """How to ask, and where to leave what was found."""

    profile: Annotated[
        list[str] | None,
        typer.Option(help="Such as hybrid, or hybrid:words=0.4,...; repeat it. Default: decay."),
    ] = None
    alpha: Annotated[
        float | None, typer.Option(min=0, max=1, help="Weight of similarity in `decay`.")
    ] = None
    top_k: Annotated[int, typer.Option(min=1, max=50, help="How many hits to ask for.")] = 50
    sessions: Annotated[
        bool, typer.Option(help="Tell session ids; without them gaps in time decide.")
    ] = True
    url: Url = DEFAULT_URL
    key: Key = None
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Questions in flight.")] = 4
    seed: Annotated[int, typer.Option(help="Of the bootstrap between profiles.")] = 0
    keep: Annotated[bool, typer.Option(help="Leave the memories in the service.")] = False
    output: Annotated[Path | None, typer.Option(help="Write everything as JSON, too.")] = None
    plot: Annotated[Path | None, typer.Option(help="Draw it: a .png or .svg.")] = None


def take_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of a dataclass in the place of its parameter `options`."""
    parameters = inspect.signature(command).parameters
    own = [p for p in parameters.values() if p.name != "options"]
    kind = parameters["options"].annotation
    names = [field.name for field in fields(kind)]
    shared = inspect.signature(kind).parameters.values()
    by_name = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *shared)]

    def run(**given: Any) -> None:
        options = kind(**{name: given.pop(name) for name in names})
        command(**given, options=options)

    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    run.__annotations__ = {p.name: p.annotation for p in by_name}
    vars(run)["__signature__"] = inspect.Signature(by_name)
    return run
