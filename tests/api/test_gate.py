import httpx
import pytest

from serve_app.api.errors import BadRequest, HeadersTooLarge
from serve_app.api.gate import MAX_HEADER_BYTES, MAX_HEADERS, MAX_TARGET_BYTES, Gate
from serve_app.api.host_names import HostNames
from serve_app.asgi import create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World


async def pass_gate(headers: list[tuple[bytes, bytes]], version: str = "1.1") -> None:
    async def arrive(scope, receive, send) -> None:
        arrived.append(scope)

    arrived: list[object] = []
    scope = {"type": "http", "path": "/v1/memories", "raw_path": b"/v1/memories"}
    scope |= {"query_string": b"", "headers": headers, "http_version": version}
    await Gate(arrive, HostNames(None, False))(scope, None, None)
    assert arrived == [scope]


@pytest.mark.parametrize("path", ["/v1/memories?agent_id=", "/v1/"])
async def test_a_target_has_a_limit(client: httpx.AsyncClient, path: str):
    longest = path + "a" * (MAX_TARGET_BYTES + ("?" in path) - len(path))
    assert (await client.get(longest)).status_code in (200, 404)
    refused = await client.get(longest + "a")
    assert (refused.status_code, refused.json()["code"]) == (414, "uri_too_long")


async def test_so_many_headers_are_enough():
    headers = [(b"host", b"here"), *[(b"x", b"y")] * (MAX_HEADERS - 1)]
    await pass_gate(headers)
    with pytest.raises(HeadersTooLarge):
        await pass_gate([*headers, (b"x", b"y")])


async def test_headers_have_a_length():
    rest = MAX_HEADER_BYTES - len(b"hosthere") - 1
    await pass_gate([(b"host", b"here"), (b"x", b"y" * rest)])
    with pytest.raises(HeadersTooLarge):
        await pass_gate([(b"host", b"here"), (b"x", b"y" * (rest + 1))])


async def test_one_host_is_named_but_for_http_1_0():
    await pass_gate([], "1.0")
    with pytest.raises(BadRequest):
        await pass_gate([], "1.1")
    with pytest.raises(BadRequest):
        await pass_gate([(b"host", b"here"), (b"host", b"there")])


@pytest.mark.parametrize(("coding", "status"), [("gzip", 415), ("identity", 422), ("", 422)])
async def test_a_coded_body_is_415(client: httpx.AsyncClient, coding: str, status: int):
    headers = {"content-encoding": coding}
    assert (await client.post("/v1/memories", json={}, headers=headers)).status_code == status


async def test_another_host_is_421_but_for_probes(world: World):
    settings = Settings(allowed_hosts="memories.example")
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        evil = {"host": "evil.example"}
        refused = await client.get("/v1/memories", headers=evil)
        assert (refused.status_code, refused.json()["code"]) == (421, "host_not_allowed")
        assert (await client.get("/readyz", headers=evil)).status_code == 200
        allowed = {"host": "memories.example:8000"}
        assert (await client.get("/v1/memories", headers=allowed)).status_code == 200
