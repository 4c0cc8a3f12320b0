"""Rate limits of a whole service with two ingress replicas, hammered over real HTTP."""

import asyncio
import itertools
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.service.running import RunningService, descendants, open_folder

PER_MINUTE = 600
"""Of the tenant, over all agents."""

PER_SPAN = 60
SPAN_SECONDS = 2
"""Of the reads of one agent: a span short enough that a test sees its edges."""

LIMITS = {
    "FLEETMEM_RATE_LIMIT_TENANT": f"{PER_MINUTE}/minute",
    "FLEETMEM_RATE_LIMIT_AGENT_READS": f"{PER_SPAN}/{SPAN_SECONDS} seconds",
}

CALLERS = 8
STEADY_SECONDS = 3 * SPAN_SECONDS
REFUSED_IN_A_ROW = 200
"""As many refusals as both replicas cannot give while one of them still holds a token."""


@dataclass(frozen=True)
class Call:
    """A call as its caller saw it; what counted it did so between the two moments."""

    sent: float
    answered: float
    status: int


@dataclass(frozen=True)
class Outcome:
    """What one agent got that went on and on, then what ever new agents got, and who served."""

    steady: list[Call]
    rotating: list[Call]
    served: Counter[Path]


@pytest.fixture(scope="module")
def outcome() -> Iterator[Outcome]:
    folder = open_folder()
    settings = {"FLEETMEM_UP_INGRESS_REPLICAS": "2", "FLEETMEM_ACCESS_LOG": "true"}
    service = RunningService(folder, **LIMITS, **settings)
    service.start()
    try:
        steady, rotating = asyncio.run(hammer(service.url))
        yield Outcome(steady, rotating, count_served(service))
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def hammer(url: str) -> tuple[list[Call], list[Call]]:
    """One agent's reads for three spans; then new agents' until nobody gets through any more."""
    numbers = itertools.count()
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        end = time.monotonic() + STEADY_SECONDS
        steady = await call_while(client, lambda: "one", lambda _: time.monotonic() < end)
        rotating = await call_while(client, lambda: f"agent-{next(numbers)}", is_let_in)
    return steady, rotating


def is_let_in(calls: list[Call]) -> bool:
    """Whether any of the last calls was answered."""
    last = calls[-REFUSED_IN_A_ROW:]
    return len(last) < REFUSED_IN_A_ROW or any(call.status == 200 for call in last)


async def call_while(
    client: httpx.AsyncClient, name: Callable[[], str], goes_on: Callable[[list[Call]], bool]
) -> list[Call]:
    """The calls of several callers at once, in the order in which they were answered."""
    calls: list[Call] = []

    async def call() -> None:
        while goes_on(calls):
            where = {"agent_id": name(), "user_id": "u"}
            sent = time.monotonic()
            answer = await client.get("/v1/memories/count", params=where)
            calls.append(Call(sent, time.monotonic(), answer.status_code))

    await asyncio.gather(*(call() for _ in range(CALLERS)))
    return calls


def count_served(service: RunningService) -> Counter[Path]:
    """How many counts each replica has answered with 200, by the file of its log."""
    assert service.process is not None
    [command] = [
        line for line in descendants(service.process.pid).values() if "deployments.local" in line
    ]
    folder = Path(command.split("--run-directory ")[1].split()[0])
    served: Counter[Path] = Counter()
    for log in folder.glob("session_latest/logs/worker-*.err"):
        for line in log.read_text().splitlines():
            if line.startswith("{") and is_served(json.loads(line)):
                served[log] += 1
    return served


def is_served(line: dict[str, object]) -> bool:
    return (line.get("route"), line.get("status")) == ("/v1/memories/count", 200)


def answered(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.status == 200]


def test_both_replicas_have_served(outcome: Outcome) -> None:
    both = len(answered(outcome.steady + outcome.rotating))
    assert sum(outcome.served.values()) == both
    assert len(outcome.served) == 2
    assert min(outcome.served.values()) > both / 10


def test_a_call_is_answered_or_refused(outcome: Outcome) -> None:
    assert {call.status for call in outcome.steady + outcome.rotating} == {200, 429}


def test_new_agents_get_no_more_than_the_tenant_and_nothing_is_lost(outcome: Outcome) -> None:
    calls = outcome.steady + outcome.rotating
    # Nothing has come back yet, so this is the whole limit of one minute.
    assert calls[-1].answered - calls[0].sent < 60
    assert 0.98 * PER_MINUTE <= len(answered(calls)) <= PER_MINUTE


def test_no_span_holds_more_than_the_limit(outcome: Outcome) -> None:
    calls = answered(outcome.steady)
    for first in calls:
        end = first.sent + SPAN_SECONDS
        inside = [call for call in calls if call.sent >= first.sent and call.answered < end]
        assert len(inside) <= PER_SPAN
    # The spans had edges: what was spent came back, and was spent again.
    assert len(calls) > 1.5 * PER_SPAN
