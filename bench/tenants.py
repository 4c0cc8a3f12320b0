"""One tenant against ten thousand: search p50 over HTTP, start-up time, and the indexes.

Two services of their own, each with data of its own, loaded straight into Postgres: one holds a
single tenant, the other many, all of the same shape. Both start on the loaded data, and are timed.
Then they take turns: searches of a known question, whose vector is in the cache, so that the key
check, row security and the search are what is measured. The callers of the second service come
from tenants drawn for each request, each with a key of its own; before that each calls once, when
neither its key nor its agent was seen before (first_p50_ms).

    python -m bench tenants
    python -m bench tenants --tenants 100 --rounds 2 --seconds 1
"""

import asyncio
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated

import asyncpg
import httpx
import typer

from bench.client import Load, LoadClient, Request, open_client
from bench.memory_rows import DIMENSION, Rows, load, make_even_rows
from bench.reporting import RESULTS, Result, say, tabulate, write_result
from bench.running import Service, open_folder, start_service
from bench.texts import questions
from bench.workload import REPEATED_QUESTIONS, search_for
from serve_app.core.keys import KEY_BYTES, KeyDraft, digest_key, make_key
from serve_app.core.principal import MEMORY_READ
from serve_app.local.postgres import EmbeddedPostgres
from serve_app.settings import load_settings
from serve_app.storage.connection import Connection
from serve_app.storage.migrate import prepare_database

AGENTS = 3
"""Of each tenant."""

MEMORIES = 10
"""Of each agent."""

Caller = tuple[str, str, str]
"""Key, agent and user of whoever asks."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many tenants there are, and how many of them have keys and ask."""

    tenants: int
    asked: int


def main(
    tenants: Annotated[int, typer.Option(min=2, help="Of the second service.")] = 10_000,
    asked: Annotated[int, typer.Option(min=1, help="Tenants that have keys and ask.")] = 500,
    starts: Annotated[int, typer.Option(min=1, help="Starts of each; the median counts.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each; the median counts.")] = 7,
    seconds: Annotated[float, typer.Option(help="Of each turn.")] = 5.0,
    results: Annotated[Path, typer.Option(help="Folder for the JSON.")] = RESULTS,
) -> None:
    """Search p50 and start-up time with one tenant and with many, side by side."""
    fleets = [Fleet(count, min(asked, count)) for count in (1, tenants)]
    with ExitStack() as stack:
        folders = [stack.enter_context(open_folder()) / "data" for _ in fleets]
        loaded = [_load(folder, fleet) for folder, fleet in zip(folders, fleets, strict=True)]
        times = [[_time_start(folder) for folder in folders] for _ in range(starts)]
        services = [stack.enter_context(_start(folder)) for folder in folders]
        first = [_greet(service, known) for service, known in zip(services, loaded, strict=True)]
        client = stack.enter_context(open_client())
        rows = _search(client, services, loaded, (rounds, seconds))
        indexes = [asyncio.run(_list_indexes(service)) for service in services]
    for number, row in enumerate(rows):
        row |= {"tenants": fleets[number].tenants, "first_p50_ms": first[number]}
        row["start_seconds"] = round(median(each[number] for each in times), 2)
    say(tabulate(rows))
    result: Result = {"benchmark": "tenants", "agents": AGENTS, "memories": MEMORIES}
    result |= {"rounds": rounds, "rows": rows}
    result |= {"p50_ratio": rows[1]["p50_ms"] / rows[0]["p50_ms"], "indexes": len(indexes[0])}
    assert indexes[0] == indexes[1], "some index is there for the number of tenants"
    write_result("tenants", result, results)


def searches(callers: Sequence[Caller], seed: int) -> Iterator[Request]:
    """Searches with known questions, each of a caller drawn anew."""
    dice = random.Random(seed)
    known = list(islice(questions(0), REPEATED_QUESTIONS))
    while True:
        key, agent, user = dice.choice(callers)
        asked = search_for(dice.choice(known), {"agent_id": agent, "user_id": user})
        yield Request(asked.method, asked.path, asked.body, key)


def _load(folder: Path, fleet: Fleet) -> list[Caller]:
    """Fill an embedded Postgres, which is stopped again; the callers that have keys."""
    say(f"Loading {fleet.tenants:,} tenants")
    server = EmbeddedPostgres(folder).start()
    try:
        return asyncio.run(fill(server.dsn, fleet))
    finally:
        server.stop()


async def fill(dsn: str, fleet: Fleet) -> list[Caller]:
    """Fill a database with a fleet; the callers that have keys."""
    await prepare_database(dsn, load_settings().stored_model, DIMENSION)
    scopes = fleet.tenants * AGENTS
    even = make_even_rows(scopes * MEMORIES, scopes, seed=1)
    rows = Rows(even.vectors, even.scope, even.ages, even.topics, AGENTS)
    connection = await asyncpg.connect(dsn, command_timeout=600)
    try:
        names = [(number, f"tenant-{number}") for number in range(2, fleet.tenants + 1)]
        await connection.copy_records_to_table(
            "tenants", records=names, columns=["tenant_id", "name"]
        )
        callers = [
            caller
            for tenant in random.Random(1).sample(range(1, fleet.tenants + 1), fleet.asked)
            for caller in await _let_in(connection, tenant, rows)
        ]
        await load(dsn, rows)
        await connection.execute(WORDS)
        for table in ("memory_words", "tenants", "api_keys"):
            await connection.execute(f"vacuum analyze {table}")
    finally:
        await connection.close()
    return callers


WORDS = """insert into memory_words (tenant_id, scope_id, lexeme, memory_id, frequency, length)
    select m.tenant_id, m.scope_id, w.lexeme, m.id, w.frequency, w.length
    from memories m join scopes s using (scope_id), count_words(s.language, m.content) w"""


async def _let_in(connection: Connection, tenant: int, rows: Rows) -> list[Caller]:
    """Give a tenant a key; its agents as callers."""
    draft = KeyDraft(tenant, frozenset({MEMORY_READ}))
    issued = make_key(draft, datetime.now(UTC), os.urandom(KEY_BYTES))
    await connection.execute(
        "insert into api_keys (key_id, tenant_id, digest, label, scopes, created_at)"
        " values ($1, $2, $3, '', $4, now())",
        issued.key.key_id,
        tenant,
        digest_key(issued.text),
        list(draft.scopes),
    )
    numbers = range((tenant - 1) * rows.agents, tenant * rows.agents)
    return [(issued.text, *rows.name_scope(number)[1:]) for number in numbers]


def _time_start(folder: Path) -> float:
    """Seconds until a service on these data says that it is ready."""
    began = time.monotonic()
    with _start(folder):
        return time.monotonic() - began


def _start(folder: Path) -> AbstractContextManager[Service]:
    return start_service(folder, {})


def _greet(service: Service, callers: Sequence[Caller]) -> float:
    """The p50 of the first call of each caller, in ms. Raises httpx.HTTPStatusError."""
    [text] = islice(questions(0), 1)
    times: list[float] = []
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for key, agent, user in callers:
            headers = {"authorization": f"Bearer {key}"}
            body = {"agent_id": agent, "user_id": user, "query": text}
            began = time.perf_counter()
            client.post("/v1/memories/search", json=body, headers=headers).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
    return round(median(times), 2)


def _search(
    client: LoadClient,
    services: Sequence[Service],
    loaded: Sequence[list[Caller]],
    plan: tuple[int, float],
) -> list[Result]:
    """The median round of each service; the turns alternate. Raises RuntimeError on a refusal."""
    rounds, seconds = plan
    found: list[list[Result]] = [[] for _ in services]
    for number in range(rounds + 1):
        for service, known, rows in zip(services, loaded, found, strict=True):
            source = partial(searches, known)
            row = client.run(Load(service.url, source, seconds, seed=number)).describe()
            if row["errors"]:
                raise RuntimeError(f"searches were refused: {row['statuses']}")
            # The first turn fills caches of vectors, keys and plans.
            rows += [row] if number else []
    keys = ("requests_per_second", "p50_ms", "p90_ms", "p99_ms")
    return [{key: median(row[key] for row in rows) for key in keys} for rows in found]


async def _list_indexes(service: Service) -> list[str]:
    """How every index of the service's tables is made."""
    connection = await asyncpg.connect(service.database_url)
    try:
        found = await connection.fetch(
            "select indexdef from pg_indexes where schemaname = 'public' order by indexdef"
        )
    finally:
        await connection.close()
    return [row["indexdef"] for row in found]


if __name__ == "__main__":
    typer.run(main)
