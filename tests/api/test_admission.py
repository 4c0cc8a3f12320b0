import asyncio

import pytest

from serve_app.api.admission import LONGEST_PAUSE, REFUSALS_PER_SECOND, Admission, Pacer
from serve_app.api.congestion import BUSY
from serve_app.api.problems import Problem, describe_problem
from serve_app.asgi import create_asgi_app
from serve_app.core.errors import Overloaded
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.meter import RecordingMeter
from tests.fakes.world import World

COUNT = "/v1/memories/count?agent_id=a&user_id=u"


@pytest.fixture
def gate(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Counting says that it has come in, and waits to be let out."""
    inside, let_out = asyncio.Event(), asyncio.Event()

    async def wait(scope: object) -> int:
        inside.set()
        await let_out.wait()
        return 0

    monkeypatch.setattr(world.memories, "count", wait)
    return inside, let_out


async def test_one_too_many_is_refused_at_once_and_probes_are_not(
    world: World, gate: tuple[asyncio.Event, asyncio.Event]
):
    inside, let_out = gate
    settings = Settings(max_concurrent_requests=1)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        first = asyncio.create_task(client.get(COUNT))
        await inside.wait()
        second = await client.get(COUNT)
        assert (second.status_code, second.json()["code"]) == (503, "overloaded")
        assert second.headers["retry-after"] == "1"
        for probe in ("/livez", "/readyz", "/health", "/metrics"):
            assert (await client.get(probe)).status_code == 200
        let_out.set()
        assert (await first).status_code == 200
        assert (await client.get(COUNT)).status_code == 200


async def test_a_caller_who_leaves_frees_the_place(
    world: World, gate: tuple[asyncio.Event, asyncio.Event]
):
    inside, let_out = gate
    settings = Settings(max_concurrent_requests=1)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        first = asyncio.create_task(client.get(COUNT))
        await inside.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        let_out.set()
        assert (await client.get(COUNT)).status_code == 200


async def test_a_refusal_reads_like_every_problem_and_is_counted_once_a_second(
    world: World, gate: tuple[asyncio.Event, asyncio.Event], caplog: pytest.LogCaptureFixture
):
    inside, let_out = gate
    told = asyncio.Event()
    settings = Settings(max_concurrent_requests=1)
    meter = TellingMeter(world.meter, told)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), meter)
    async with open_client(app) as client:
        first = asyncio.create_task(client.get(COUNT))
        await inside.wait()
        refused = [
            await client.get(COUNT, headers={"x-request-id": f"mine-{number}"})
            for number in range(3)
        ]
        let_out.set()
        await first
        assert [answer.json()["request_id"] for answer in refused] == ["mine-0", "mine-1", "mine-2"]
        assert refused[0].headers["x-request-id"] == "mine-0"
        assert refused[0].headers["content-type"] == "application/problem+json"
        problem = Problem.model_validate(refused[0].json())
        assert problem == describe_problem(Overloaded("too many requests at once")).model_copy(
            update={"request_id": "mine-0"}
        )
        await asyncio.wait_for(told.wait(), 10)
        assert world.meter.total("http_requests_refused") == 3
        lines = [record.getMessage() for record in caplog.records]
        assert len([line for line in lines if line.startswith("refused 3 requests")]) == 1


async def test_no_body_is_read_of_who_is_refused(world: World):
    app = Admission(fail, 0, 0.9, world.meter)
    sent = []

    async def send(message) -> None:
        sent.append(message)

    await app({"type": "http", "path": "/v1/memories", "headers": []}, fail, send)
    assert sent[0]["status"] == 503


async def test_a_long_wait_is_told(world: World):
    app = Admission(fail, 0, 0.9, world.meter)
    app.congestion.inside = BUSY
    for _ in range(10):
        app.congestion.note_lag(8.0)
    sent = []

    async def send(message) -> None:
        sent.append(message)

    await app({"type": "http", "path": "/v1/memories", "headers": []}, fail, send)
    assert (b"retry-after", b"8") in sent[0]["headers"]


def test_refusals_are_answered_at_once_up_to_their_rate():
    pacer = Pacer()
    assert all(pacer.find_pause(n / (0.9 * REFUSALS_PER_SECOND)) == 0 for n in range(1, 5000))


def test_who_asks_again_at_once_is_slowed_down_to_the_rate():
    pacer, seconds, callers = Pacer(), 20.0, 300
    turns = [0.0] * callers
    refused = 0
    while (now := min(turns)) < seconds:
        turns[turns.index(now)] = now + pacer.find_pause(now)
        refused += 1
    assert refused / seconds == pytest.approx(REFUSALS_PER_SECOND, rel=0.02)


def test_no_refusal_waits_longer_than_half_a_second():
    pacer = Pacer()
    assert max(pacer.find_pause(1.0) for _ in range(10_000)) == LONGEST_PAUSE


class TellingMeter(RecordingMeter):
    """Says when refusals have been counted."""

    def __init__(self, meter: RecordingMeter, told: asyncio.Event) -> None:
        super().__init__()
        self.counts = meter.counts
        self.told = told

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        super().count(name, amount, **labels)
        if name == "http_requests_refused":
            self.told.set()


async def fail(*_: object) -> None:
    raise AssertionError("must not be called")
