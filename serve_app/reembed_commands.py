"""`fleetmem reembed`: change the embedding model of a database that is searched meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from serve_app.core.errors import ConfigurationError
from serve_app.core.model_change import ModelChange
from serve_app.evaluation.options import take_options
from serve_app.local.postgres_binaries import default_data_directory
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings, load_settings

if TYPE_CHECKING:
    from serve_app.embedding.batcher import Batcher
    from serve_app.operations.compare_models import Sample
    from serve_app.storage.connection import Connection

console = Console(stderr=True, highlight=False)

HERE = str(default_data_directory())


@dataclass(frozen=True)
class ReembedOptions:
    """What to do; nothing but --status unless more is said."""

    to: Annotated[str | None, typer.Option(help="Begin to fill vectors of this model.")] = None
    status: Annotated[bool, typer.Option("--status", help="Tell how far it is.")] = False
    here: Annotated[
        bool,
        typer.Option("--here", help="Fill in this process, too: while no service runs, say."),
    ] = False
    compare: Annotated[
        int, typer.Option(min=0, help="So many memories' texts as questions to both models.")
    ] = 0
    queries: Annotated[
        Path | None,
        typer.Option(
            help="Questions to both models, too: JSON lines with question, agent_id and user_id, "
            "and tenant where it is not the default one."
        ),
    ] = None
    cut_over: Annotated[
        bool, typer.Option("--cut-over", help="Let searches use the new model, in one step.")
    ] = False
    back: Annotated[bool, typer.Option("--back", help="Let searches use the old model again.")] = (
        False
    )
    clean_up: Annotated[
        bool, typer.Option("--clean-up", help="Drop the vectors that searches do not use.")
    ] = False
    database_url: Annotated[
        str,
        typer.Option(
            "--database-url",
            "--data-dir",
            envvar=["FLEETMEM_OWNER_DATABASE_URL", "FLEETMEM_DATABASE_URL"],
            show_envvar=True,
            help="Address of a Postgres, as the role that owns the tables; or the --data-dir of "
            "`fleetmem up`, running or not.",
        ),
    ] = HERE


@take_options
def reembed(options: ReembedOptions) -> None:
    """Change the embedding model while the service runs: fill, compare, cut over, clean up."""
    if options.cut_over and options.back:
        raise ConfigurationError("take --cut-over or --back, not both")
    from serve_app.local.database import reach_database

    database = options.database_url
    is_address = database.startswith(("postgres://", "postgresql://"))
    directory = Path(HERE if is_address or not database else database).expanduser().absolute()
    with reach_database(database if is_address else None, directory, _say) as dsn:
        asyncio.run(_run(options, dsn))


async def _run(options: ReembedOptions, dsn: str) -> None:
    from serve_app.storage.connection import prepare, translated_errors
    from serve_app.storage.migrate import connected

    settings = load_settings(database_url=SecretStr(dsn))
    async with connected(dsn) as connection, translated_errors():
        await prepare(connection)
        if options.to is not None:
            await _begin(connection, settings, options.to)
        if options.here:
            await _fill_here(connection, settings)
        if options.compare or options.queries:
            await _compare(connection, settings, options)
        if options.cut_over or options.back:
            await _switch(connection, settings, options.cut_over)
        if options.clean_up:
            await _clean_up(connection)
        await _tell(connection)


async def _begin(connection: "Connection", settings: Settings, model: str) -> None:
    from serve_app.embedding.devices import prepare_for_device
    from serve_app.embedding.registry import find_model
    from serve_app.storage.model_change import begin_change

    spec = find_model(model)
    await asyncio.to_thread(prepare_for_device, spec, settings, _say)
    owed = await begin_change(connection, spec.name, spec.dimension)
    _say(f"{owed} memories need vectors of {model}; a running service fills them from now on")


async def _fill_here(connection: "Connection", settings: Settings) -> None:
    from serve_app.operations.fill_vectors import fill
    from serve_app.storage.owed_vectors import PostgresOwed

    change = await _read(connection)
    owed = PostgresOwed(connection)
    async with owed.only_filler() as alone, _embedder(settings, change.other) as embedder:
        if not alone:
            _say("The service is filling already")
            return
        await fill(owed, embedder, PrometheusMeter())


async def _switch(connection: "Connection", settings: Settings, forward: bool) -> None:
    from serve_app.operations.fill_vectors import switch
    from serve_app.storage.owed_vectors import PostgresOwed

    change = await _read(connection)
    wanted = change.target if forward else change.origin
    if change.active == wanted:
        _say(f"Searches use {wanted} already")
        return
    if change.index_missing:
        raise ConfigurationError(
            f"the vector index of {wanted} is not built yet; maintenance builds it when all is "
            "filled (FLEETMEM_INDEX_TEND_SECONDS)"
        )
    async with _embedder(settings, wanted) as embedder:
        await switch(PostgresOwed(connection), embedder, PrometheusMeter())
    _say(f"Searches use {wanted} from now on; every process follows within seconds")


async def _compare(connection: "Connection", settings: Settings, options: ReembedOptions) -> None:
    from serve_app.operations.compare_models import compare_models
    from serve_app.reembed_queries import read_samples
    from serve_app.storage.connection import open_pool
    from serve_app.storage.memories import PostgresMemories

    change = await _read(connection)
    samples = await _sample(connection, options.compare)
    pool = await open_pool(settings.model_copy(update={"db_min_pool_size": 1}))
    try:
        if options.queries:
            samples += await read_samples(options.queries, pool)
        search = PostgresMemories(pool, settings).search
        async with (
            _embedder(settings, change.active) as old,
            _embedder(settings, change.other) as new,
        ):
            overlap = await compare_models(search, (old, new), samples, datetime.now(UTC))
    finally:
        await pool.close()
    _say(
        f"Of the first 10 hits {overlap.shared:.1%} are the same by both models, and the best hit "
        f"in {overlap.same_best:.1%} of {overlap.questions} searches"
    )
    if left_out := len(samples) - overlap.questions:
        _say(f"{left_out} searches found nothing, or a memory of their tenant was not filled yet")


async def _sample(connection: "Connection", count: int) -> "list[Sample]":
    """Texts of memories by chance."""
    from serve_app.core.memory import Scope
    from serve_app.operations.compare_models import Sample
    from serve_app.storage.queries import query

    rows = await connection.fetch(query("sample_memories"), count, timeout=600)
    return [Sample(row[0], Scope(row[1], row[2], row[3]), row[4]) for row in rows]


async def _clean_up(connection: "Connection") -> None:
    from serve_app.storage.model_change import clean_up

    dropped = await clean_up(connection)
    _say("There was nothing to drop" if dropped is None else f"Dropped the vectors of {dropped}")


@asynccontextmanager
async def _embedder(settings: Settings, model: str) -> AsyncGenerator["Batcher"]:
    from serve_app.embedding.batcher import open_batcher
    from serve_app.embedding.devices import prepare_for_device
    from serve_app.embedding.registry import find_model

    await asyncio.to_thread(prepare_for_device, find_model(model), settings, _say)
    batcher = open_batcher(settings, PrometheusMeter(), model)
    try:
        yield batcher
    finally:
        await batcher.close()


async def _read(connection: "Connection") -> ModelChange:
    from serve_app.storage.model_change import read_change

    change = await read_change(connection)
    if change is None:
        raise ConfigurationError("no model is changed: begin with `fleetmem reembed --to MODEL`")
    return change


async def _tell(connection: "Connection") -> None:
    from serve_app.storage.model_change import read_change
    from serve_app.storage.model_stamp import read_stamp

    change = await read_change(connection)
    if change is None:
        stamp = await read_stamp(connection)
        _say(f"Searches use {stamp.name if stamp else 'no model yet'}, and no other is stored")
        return
    _say(f"From {change.origin} to {change.target}; searches use {change.active}")
    if change.total is None:
        _say(f"Its start was cut short: run `fleetmem reembed --to {change.target}` again")
        return
    filled = max(change.total - change.owed, 0)
    _say(f"{change.other}: {filled} of {change.total} memories filled, {change.owed} left")
    if change.owed and change.seconds_left is not None:
        pace = f"{change.per_second:.0f} a second"
        _say(f"About {timedelta(seconds=round(change.seconds_left))} to go, at {pace}")
    if change.owed and change.error is not None:
        _say(f"Some could not be filled: {change.error}")
    if change.index_missing:
        _say("Its vector index is not built yet")


def _say(line: str) -> None:
    console.print(f"[dim]fleetmem:[/] {escape(line)}", soft_wrap=True)
