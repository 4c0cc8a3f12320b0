"""The command line: `fleetmem up | migrate | tenant | key | index | reembed | model | eval | demo`.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from serve_app.core.errors import ConfigurationError, FleetmemError
from serve_app.evaluation.commands import app as evaluations
from serve_app.evaluation.commands import demo
from serve_app.evaluation.options import take_options
from serve_app.key_commands import keys, tenants
from serve_app.limit_commands import LIMITS_EXAMPLE, limit_tenant
from serve_app.local.postgres_binaries import default_data_directory
from serve_app.local.serving import is_loopback
from serve_app.ranking_commands import (
    LANGUAGE_EXAMPLE,
    RANKING_EXAMPLE,
    change_language,
    rank_tenant,
)
from serve_app.reembed_commands import reembed
from serve_app.settings import IndexKind, load_settings

app = typer.Typer(
    help="Long-term memory for fleets of AI agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="Embedding models.", no_args_is_help=True)
app.add_typer(models, name="model")
tenants.command("limits", epilog=LIMITS_EXAMPLE)(limit_tenant)
tenants.command("ranking", epilog=RANKING_EXAMPLE)(rank_tenant)
tenants.command("language", epilog=LANGUAGE_EXAMPLE)(change_language)
app.add_typer(tenants, name="tenant")
app.add_typer(keys, name="key")
app.add_typer(evaluations, name="eval")
app.command(epilog="Example: fleetmem demo --data my-conversation.json --questions 3")(demo)
app.command(epilog="Example: fleetmem reembed --to sentence-transformers/all-MiniLM-L6-v2@int8")(
    reembed
)
console = Console(stderr=True, highlight=False)

DATA_DIRECTORY = default_data_directory()

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="FLEETMEM_DATABASE_URL",
        show_envvar=True,
        help="A Postgres with pgvector >= 0.8.4.",
        show_default=False,
    ),
]

OwnerDatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar=["FLEETMEM_OWNER_DATABASE_URL", "FLEETMEM_DATABASE_URL"],
        show_envvar=True,
        help="A Postgres with pgvector >= 0.8.4, as the role that owns the tables.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class StartOptions:
    """How and where to start."""

    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(help="Port of the API.")] = 8000
    data_dir: Annotated[Path, typer.Option(help="Where memories are kept.")] = DATA_DIRECTORY
    database_url: DatabaseUrl = None
    index: Annotated[
        str | None, typer.Option(help="ivfflat or hnsw: the index of large scopes.")
    ] = None
    config: Annotated[Path | None, typer.Option(help="A file like configs/production.yaml.")] = None
    insecure_open: Annotated[
        bool,
        typer.Option(
            "--insecure-open", help="Let everybody in, from anywhere, until a key is made."
        ),
    ] = False


@app.command(epilog="Example: fleetmem up --port 8080 --data-dir ./memories")
@take_options
def up(options: StartOptions) -> None:
    """Start the whole service on this machine: Postgres, model, Ray, API. Ctrl-C stops it."""
    from serve_app.local.up import UpOptions, run

    _choose(options)
    directory = options.data_dir.expanduser().absolute()
    where = UpOptions(options.host, options.port, directory, options.database_url)
    sys.exit(run(where, load_settings(), _say, partial(_announce, options)))


@app.command(epilog="Example: fleetmem migrate --database-url postgresql://me@db/fleetmem")
def migrate(database_url: OwnerDatabaseUrl = None) -> None:
    """Bring a database's schema up to date, and stamp it with the model; safe to run twice."""
    from serve_app.embedding.registry import find_model
    from serve_app.storage.migrate import prepare_database

    model = find_model(load_settings().stored_model)
    applied = asyncio.run(prepare_database(_required(database_url), model.name, model.dimension))
    _say(f"Applied {', '.join(applied)}" if applied else "The schema is up to date")
    _say(f"Vectors are those of {model.name} ({model.dimension} dimensions)")


@app.command(epilog="Example: fleetmem index --to hnsw")
def index(
    to: Annotated[str, typer.Option(help="ivfflat or hnsw.")],
    database_url: OwnerDatabaseUrl = None,
) -> None:
    """Build the vector index of the other kind on a live database, then drop the old one."""
    from serve_app.storage.ann_index import switch_index

    kind = _index_kind(to)
    asyncio.run(switch_index(_required(database_url), kind, _say))
    _say(f"The index is {kind} now, and stays so until FLEETMEM_INDEX changes")


@models.command(epilog="Example: fleetmem model prepare BAAI/bge-small-en-v1.5")
def prepare(
    name: Annotated[str | None, typer.Argument(help="Default: the settings' model.")] = None,
) -> None:
    """Prepare a model for serving: find its weights, verify them, write the graph.

    A reranker is fetched from its hub, or tried where it lies.
    """
    from serve_app.embedding.devices import prepare_for_device
    from serve_app.embedding.registry import find_model
    from serve_app.embedding.reranking import is_reranker, prepare_reranker

    settings = load_settings()
    if name and is_reranker(name):
        prepare_reranker(name, settings, _say)
        return
    spec = find_model(name or settings.stored_model)
    prepare_for_device(spec, settings, _say)


@models.command(epilog="Example: fleetmem model build --precision int8")
def build(
    name: Annotated[str | None, typer.Argument(help="Default: the settings' model.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32 or int8. Default: the settings'.")
    ] = None,
) -> None:
    """Write a model's graph anew from its weights, also where one is there already."""
    from serve_app.embedding.preparation import build_model
    from serve_app.embedding.registry import find_model

    chosen = {"embedding_model": name, "embedding_precision": precision}
    settings = load_settings(**{knob: value for knob, value in chosen.items() if value})
    build_model(find_model(settings.stored_model), settings.model_directory.expanduser(), _say)


def main() -> None:
    """Run the command line; a failure is one line that says what to do next, and status 1."""
    try:
        app(standalone_mode=True)
    except FleetmemError as error:
        console.print(f"[bold red]fleetmem:[/] {escape(error.message)}", soft_wrap=True)
        sys.exit(1)


def _choose(options: StartOptions) -> None:
    """Hand the options on to every process that is started from here."""
    if options.config is not None:
        os.environ["FLEETMEM_CONFIG"] = str(options.config.expanduser().absolute())
    if options.index is not None:
        os.environ["FLEETMEM_INDEX"] = _index_kind(options.index)
    if options.insecure_open:
        os.environ["FLEETMEM_INSECURE_OPEN"] = "1"


def _index_kind(word: str) -> IndexKind:
    if word == "ivfflat" or word == "hnsw":
        return word
    raise ConfigurationError(f"there is no index of the kind {word}: take ivfflat or hnsw")


def _required(database_url: str | None) -> str:
    if database_url:
        return database_url
    raise ConfigurationError(
        "name the database with --database-url or FLEETMEM_DATABASE_URL; "
        "`fleetmem up` says the address of its embedded one while it starts"
    )


def _say(line: str) -> None:
    console.print(f"[dim]fleetmem:[/] {escape(line)}", soft_wrap=True)


def _announce(options: StartOptions, needs_key: bool) -> None:
    base = f"http://{options.host}:{options.port}"
    console.print(
        f"[bold green]fleetmem is ready[/]\n  API      {base}/v1/memories\n"
        f"  Docs     {base}/docs\n  Metrics  {base}/metrics\n"
        f"  Data     {options.data_dir}\n  Keys     {_describe_keys(options, needs_key)}\n"
        "  Ctrl-C stops it.",
        soft_wrap=True,
    )


def _describe_keys(options: StartOptions, needs_key: bool) -> str:
    if needs_key:
        return "every request needs one"
    who = "every account of this machine" if is_loopback(options.host) else "[bold red]EVERYBODY[/]"
    return f"none yet: open to {who}; the first `fleetmem key create` closes it"
