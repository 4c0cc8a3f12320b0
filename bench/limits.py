"""What the check of a key and the limits cost: CPU-ms per request, in one process with Postgres.

Requests pass the middleware that they pass in a service, with a real key and real windows in an
embedded Postgres, which is gone afterwards. Only time is made up: each request is a thousandth of
a second later, so blocks of tokens are as large, and end as often, as at 1,000 requests a second.
Rows: nothing, the key alone, key and limits; each agent sends many requests, or nearly each request
comes from another agent, which is the worst there is.

Leases of one moment join into one statement, as in a service; there it is a remote call as well:

    python -m bench http --workload repeated
    python -m bench http --workload repeated --setting FLEETMEM_RATE_LIMIT_TENANT=1000000/minute
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.processes import watch_processes
from bench.reporting import RESULTS, Result, say, tabulate, write_result
from deployments.coalescing import Coalescer
from serve_app.api.authentication import Authentication
from serve_app.api.bodies import DOCUMENT
from serve_app.api.caller import PRINCIPAL
from serve_app.api.limiting import Limiting, count_call
from serve_app.core.keys import KeyDraft
from serve_app.core.principal import MEMORY_READ, MEMORY_WRITE
from serve_app.core.rate_limits import LimitRules, RateLimit
from serve_app.core.token_window import TokenGrant, TokenRequest
from serve_app.local.postgres import EmbeddedPostgres
from serve_app.metering import PrometheusMeter
from serve_app.operations.key_ring import KeyRing
from serve_app.operations.limit import Limiter
from serve_app.operations.limit_rules import RuleBook
from serve_app.operations.registry import Registry
from serve_app.settings import load_settings
from serve_app.storage.connection import Pool, open_pool
from serve_app.storage.keys import PostgresKeys
from serve_app.storage.limits import PostgresLimits
from serve_app.storage.migrate import migrate
from serve_app.storage.tokens import PostgresTokens

REQUEST_SECONDS = 0.001
CALLERS = 32
LIMITED = "key and limits"
WRITES_OF_TEN = 3
RULES = LimitRules(
    tenant=RateLimit(120_000, 60.0),
    key=RateLimit(120_000, 60.0),
    agent_writes=RateLimit(600, 60.0),
    agent_searches=RateLimit(1200, 60.0),
)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of one round, how many rounds, and whose request each is."""

    requests: int
    rounds: int
    choose_agent: Callable[[int], str]


class Doors:
    """The middleware with a key, on one database; `sent` counts answers by what was told."""

    def __init__(self, pool: Pool, key: str) -> None:
        meter = PrometheusMeter()
        self.now = time.time()
        self.leases = 0
        self._headers = [(b"host", b"bench"), (b"authorization", f"Bearer {key}".encode())]
        ring = KeyRing(PostgresKeys(pool), lambda: datetime.now(UTC), time.monotonic, False)
        tokens = PostgresTokens(pool, self._clock)
        self._joined = Coalescer[TokenRequest, TokenGrant]("lease", tokens.lease_many, meter)
        rules = RuleBook(RULES, PostgresLimits(pool), self._clock)
        limiter = Limiter(rules, self, meter, self._clock)
        closed = Authentication(_answer, ring, 600, meter)
        counted = Authentication(_count_and_answer, ring, 600, meter)
        self.ways: dict[str, ASGIApp] = {
            "nothing": _answer,
            "key": closed,
            LIMITED: Limiting(counted, limiter),
        }

    async def lease(self, request: TokenRequest) -> TokenGrant:
        """The store of the limiter, with the leases counted."""
        self.leases += 1
        return await self._joined.submit(request, request.tenant_id)

    def make_scope(self, agent_id: str, number: int) -> Scope:
        """A request as it is once its body is read."""
        is_write = number % 10 < WRITES_OF_TEN
        path = "/v1/memories" if is_write else "/v1/memories/search"
        document = {"agent_id": agent_id, "user_id": "u", "content": "c", "query": "q"}
        return {"type": "http", "method": "POST", "path": path, "headers": self._headers,
                "client": ("127.0.0.1", 1), "query_string": b"", DOCUMENT: document}  # fmt: skip

    def _clock(self) -> float:
        return self.now


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def _count_and_answer(scope: Scope, receive: Receive, send: Send) -> None:
    needed = MEMORY_READ if scope["path"].endswith("search") else MEMORY_WRITE
    caller = scope[PRINCIPAL]
    caller.require(needed)
    await count_call(Request(scope), caller, needed)
    await _answer(scope, receive, send)


def main(
    requests: Annotated[int, typer.Option(min=100, help="Requests of each row.")] = 60_000,
    agents: Annotated[int, typer.Option(min=1, help="That share the requests.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Turns; the median counts.")] = 3,
    results: Annotated[Path, typer.Option(help="Folder for the JSON.")] = RESULTS,
) -> None:
    """CPU-ms per request of the key check and the limits."""
    with tempfile.TemporaryDirectory(prefix="fleetmem-bench-") as directory:
        Path(directory).chmod(0o755)
        server = EmbeddedPostgres(Path(directory) / "data").start()
        try:
            rows = asyncio.run(_run(server.dsn, requests, agents, rounds))
        finally:
            server.stop()
    say(tabulate(rows))
    write_result("limits", {"benchmark": "limits", "requests": requests, "rows": rows}, results)


async def _run(dsn: str, requests: int, agents: int, rounds: int) -> list[Result]:
    await migrate(dsn)
    pool = await open_pool(load_settings(database_url=SecretStr(dsn), db_min_pool_size=4))
    try:
        registry = Registry(PostgresKeys(pool), lambda: datetime.now(UTC), os.urandom)
        draft = KeyDraft(1, frozenset({MEMORY_READ, MEMORY_WRITE}))
        doors = Doors(pool, (await registry.issue(draft)).text)
        load = Load(requests, rounds, lambda number: f"agent-{number * 7 % agents}")
        rows = [await _measure(doors, name, load) for name in doors.ways]
        strangers = Load(requests // 10, rounds, lambda number: f"stranger-{number}")
        worst = await _measure(doors, LIMITED, strangers)
        return [*rows, worst | {"way": "every request another agent"}]
    finally:
        await pool.close()


async def _measure(doors: Doors, name: str, load: Load) -> Result:
    """The median round's CPU of this process and of Postgres."""
    rounds: list[Result] = []
    for _ in range(load.rounds):
        before = doors.leases
        with watch_processes(os.getpid()) as usage:
            told = await _send_all(doors, doors.ways[name], load)
        each = usage.milliseconds_each(load.requests)
        row: Result = {"way": name, "cpu_ms": each["total"], "postgres_cpu_ms": each["Postgres"]}
        row["leases_per_request"] = (doors.leases - before) / load.requests
        row["told"] = told / load.requests
        rounds.append(row)
    return sorted(rounds, key=lambda row: row["cpu_ms"])[load.rounds // 2]


async def _send_all(doors: Doors, app: ASGIApp, load: Load) -> int:
    """How many of the answers told how the limits stand."""
    told = 0

    async def send(message: Message) -> None:
        nonlocal told
        told += bool(message["headers"])

    async def call(first: int) -> None:
        for number in range(first, load.requests, CALLERS):
            doors.now += REQUEST_SECONDS
            await app(doors.make_scope(load.choose_agent(number), number), _receive, send)

    await asyncio.gather(*(call(first) for first in range(CALLERS)))
    return told


async def _receive() -> Message:
    raise NotImplementedError("the body is read already")


if __name__ == "__main__":
    typer.run(main)
