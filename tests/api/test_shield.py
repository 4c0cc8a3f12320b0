import logging

import httpx
import pytest
from starlette.requests import ClientDisconnect

from serve_app.api.shield import Shield
from serve_app.logs import JsonFormatter
from tests.fakes.world import World

COUNT = "/v1/memories/count?agent_id=a&user_id=u"


async def test_the_unexpected_is_500_without_its_text(
    client: httpx.AsyncClient,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    content = "green tea"

    async def crash(scope: object) -> int:
        raise KeyError(content)

    monkeypatch.setattr(world.memories, "count", crash)
    response = await client.get(COUNT, headers={"x-request-id": "request-1"})
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.headers["x-request-id"] == "request-1"
    assert content not in response.text
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    line = JsonFormatter().format(record)
    assert "builtins.KeyError" in line
    assert content not in line


async def test_a_refusal_is_no_error_in_the_log(
    client: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
):
    world.memories.down = True
    await client.get(COUNT)
    await client.get("/nope")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_after_the_answer_has_begun_it_is_broken_off():
    sent: list[str] = []

    async def break_off(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("late")

    async def send(message) -> None:
        sent.append(message["type"])

    with pytest.raises(RuntimeError, match="late"):
        await Shield(break_off)({"type": "http"}, None, send)
    assert sent == ["http.response.start"]


async def test_a_caller_who_left_is_answered_nothing():
    async def leave(scope, receive, send) -> None:
        raise ClientDisconnect

    await Shield(leave)({"type": "http"}, None, None)
