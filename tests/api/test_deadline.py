import asyncio
from collections.abc import AsyncIterator

import pytest

from serve_app.api.deadline import Deadline
from serve_app.asgi import create_asgi_app
from serve_app.core.errors import DeadlineExceeded
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World

SCOPE = {"type": "http"}


async def test_what_takes_too_long_is_503(world: World, monkeypatch: pytest.MonkeyPatch):
    async def hang(scope: object) -> int:
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(world.memories, "count", hang)
    settings = Settings(request_timeout_seconds=0.02)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        response = await client.get("/v1/memories/count?agent_id=a&user_id=u")
    assert (response.status_code, response.json()["code"]) == (503, "deadline_exceeded")
    assert response.headers["retry-after"] == "1"


async def test_a_timeout_of_the_inside_is_not_taken_for_the_deadline():
    async def fail(scope, receive, send) -> None:
        raise TimeoutError("inside")

    with pytest.raises(TimeoutError, match="inside"):
        await Deadline(fail, 60)(SCOPE, None, None)


async def test_an_answer_that_has_begun_may_take_longer():
    done: list[str] = []

    async def stream(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.05)  # longer than the deadline: what is tested
        done.append("sent")

    async def send(message) -> None:
        return None

    await Deadline(stream, 0.01)(SCOPE, None, send)
    assert done == ["sent"]


async def test_the_deadline_raises_for_the_shield():
    async def hang(scope, receive, send) -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlineExceeded):
        await Deadline(hang, 0.01)(SCOPE, None, None)


async def test_who_is_cancelled_by_others_as_well_stays_cancelled():
    async def hang(scope, receive, send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            serving.cancel()
            raise

    serving = asyncio.ensure_future(Deadline(hang, 0.01)(SCOPE, None, None))
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_a_deadline_that_was_kept_does_not_ring_later():
    async def answer(scope, receive, send) -> None:
        return None

    await Deadline(answer, 0.01)(SCOPE, None, None)
    await asyncio.sleep(0.03)  # longer than the deadline: what is tested


@pytest.mark.parametrize("path", ["/v1/memories", "/v1/memories/batch"])
async def test_a_body_that_comes_too_slowly_is_408(world: World, path: str):
    async def trickle() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    settings = Settings(request_timeout_seconds=0.02)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        headers = {"content-type": "application/json"}
        response = await client.post(path, content=trickle(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (408, "body_too_slow")


async def test_what_takes_too_long_behind_a_read_body_is_503(world: World):
    world.embedder.interrupt = asyncio.Event().wait
    settings = Settings(request_timeout_seconds=0.02)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        body = {"agent_id": "a", "user_id": "u", "content": "c"}
        response = await client.post("/v1/memories", json=body)
    assert (response.status_code, response.json()["code"]) == (503, "deadline_exceeded")
