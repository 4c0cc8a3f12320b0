import logging
from uuid import uuid4

import httpx
import pytest

from serve_app.api.access import Access
from tests.fakes.meter import RecordingMeter
from tests.fakes.world import World


async def test_answers_are_counted_and_timed_by_template(client: httpx.AsyncClient, world: World):
    for _ in range(2):
        await client.get(f"/v1/memories/{uuid4()}")
    labels = {"method": "GET", "route": "/v1/memories/{memory_id}"}
    assert world.meter.total("http_requests", **labels, status="404") == 2
    series = ("http_request_duration_seconds", tuple(sorted(labels.items())))
    assert len(world.meter.observations[series]) == 2


async def test_what_callers_make_up_is_one_label(client: httpx.AsyncClient, world: World):
    await client.get("/a")
    await client.get("/b")
    await client.request("BREW", "/")
    assert world.meter.total("http_requests", method="GET", route="other", status="404") == 2
    assert world.meter.total("http_requests", method="other", route="/", status="405") == 1


async def test_a_failure_is_counted(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(world.memories, "count", None)
    await client.get("/v1/memories/count?agent_id=a&user_id=u")
    labels = {"method": "GET", "route": "/v1/memories/count", "status": "500"}
    assert world.meter.total("http_requests", **labels) == 1


async def test_a_caller_who_left_is_counted_as_499():
    meter = RecordingMeter()

    async def answer_nothing(scope, receive, send) -> None:
        return None

    scope = {"type": "http", "method": "GET", "path": "/"}
    await Access(answer_nothing, meter)(scope, None, None)
    assert meter.total("http_requests", method="GET", route="other", status="499") == 1


async def test_the_log_has_the_template_and_no_content(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    await client.get("/v1/memories/count?agent_id=secret&user_id=u")
    [record] = [record for record in caplog.records if record.name == "fleetmem.access"]
    assert (record.method, record.route, record.status) == ("GET", "/v1/memories/count", 200)
    assert record.duration_ms > 0
    assert "secret" not in str([r.__dict__ for r in caplog.records if "serve" in r.name])


async def test_a_failure_is_logged_as_a_warning(
    client: httpx.AsyncClient,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(world.memories, "count", None)
    await client.get("/v1/memories/count?agent_id=a&user_id=u")
    [record] = [record for record in caplog.records if record.name == "fleetmem.access"]
    assert (record.levelname, record.status) == ("WARNING", 500)


async def test_probes_are_quiet(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    await client.get("/livez")
    assert [record for record in caplog.records if record.name == "fleetmem.access"] == []
