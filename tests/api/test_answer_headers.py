import httpx
import pytest

from serve_app.asgi import create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World

SECURE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}
DATA = SECURE | {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/livez"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/memories"),
        ("POST", "/v1/memories"),
        ("POST", "/v1/memories/search"),
        ("DELETE", "/v1/memories"),
        ("GET", "/nowhere"),
        ("GET", "/" + "a" * 9000),
    ],
)
async def test_every_answer_of_the_api_carries_them(
    client: httpx.AsyncClient, method: str, path: str
):
    response = await client.request(method, path)
    assert {name: response.headers.get_list(name) for name in DATA} == {
        name: [value] for name, value in DATA.items()
    }


async def test_a_refusal_of_a_full_house_carries_them(world: World):
    app = create_asgi_app(
        world.service, Settings(max_concurrent_requests=1), PrometheusMeter(), world.meter
    )
    async with open_client(app) as client:

        async def ask_again(scope: object) -> int:
            refused.append(await client.get("/v1/memories/count?agent_id=a&user_id=u"))
            return 0

        refused: list[httpx.Response] = []
        world.memories.count = ask_again
        await client.get("/v1/memories/count?agent_id=a&user_id=u")
    [answer] = refused
    assert answer.status_code == 503
    assert DATA.items() <= dict(answer.headers).items()


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/static-offline-docs/swagger-ui.css"])
async def test_a_page_may_load_what_lies_beside_it(client: httpx.AsyncClient, path: str):
    response = await client.get(path)
    assert response.status_code == 200
    assert SECURE.items() <= dict(response.headers).items()
    policy = response.headers["content-security-policy"]
    assert "script-src 'self' 'unsafe-inline'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize(("seconds", "told"), [(0, None), (3600, "max-age=3600")])
async def test_tls_is_demanded_only_when_set(world: World, seconds: int, told: str | None):
    settings = Settings(hsts_seconds=seconds)
    app = create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)
    async with open_client(app) as client:
        answers = [await client.get(path) for path in ("/livez", "/docs")]
    assert [a.headers.get("strict-transport-security") for a in answers] == [told, told]
