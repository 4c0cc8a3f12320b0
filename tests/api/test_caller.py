import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.requests import Request

from serve_app.api import caller
from serve_app.api.caller import find_needs
from serve_app.asgi import ROUTERS
from serve_app.core.principal import MEMORY_READ, MEMORY_WRITE, Principal

WHOSE = {"agent_id": "a", "user_id": "u"}


@pytest.fixture
def reads_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def identify(request: Request) -> Principal:
        return Principal(scopes=frozenset({MEMORY_READ}))

    monkeypatch.setattr(caller, "identify", identify)


def test_every_route_of_the_api_says_what_it_needs():
    routes = [route for router in ROUTERS for route in router.routes]
    ours = [r for r in routes if isinstance(r, APIRoute) and r.path.startswith("/v1/")]
    assert len(ours) >= 8
    for route in ours:
        assert find_needs(route.endpoint.__annotations__["caller"])


def test_a_caller_without_a_demand_is_a_mistake():
    with pytest.raises(LookupError):
        find_needs(Principal)


@pytest.mark.usefixtures("reads_only")
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/memories", WHOSE | {"content": "x"}, 403),
        ("POST", "/v1/memories/batch", {"memories": [WHOSE | {"content": "x"}]}, 403),
        ("POST", "/v1/memories/search", WHOSE | {"query": "x"}, 200),
        ("GET", "/v1/memories/count", None, 200),
        ("GET", "/v1/memories", None, 200),
        ("GET", "/v1/memories/00000000-0000-0000-0000-000000000000", None, 404),
        ("PATCH", "/v1/memories/00000000-0000-0000-0000-000000000000", {"content": "x"}, 403),
        ("DELETE", "/v1/memories/00000000-0000-0000-0000-000000000000", None, 403),
    ],
)
async def test_a_key_that_may_read_changes_nothing(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, object] | None, status: int
):
    answer = await client.request(method, path, json=body, params=WHOSE if body is None else None)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "missing_scope"
        assert MEMORY_WRITE in answer.json()["detail"]
