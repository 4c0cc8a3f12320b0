"""A world in which every request needs a key, and callers that have one."""

import httpx
from starlette.types import ASGIApp

from serve_app.asgi import create_asgi_app
from serve_app.core.keys import KeyDraft
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.fakes.world import World

WHOSE = {"agent_id": "a", "user_id": "u"}


class Keyed:
    """`client` gives a client that calls with a key of the scopes it names."""

    def __init__(self, **settings: int) -> None:
        self.world = World(open_allowed=False)
        self.app: ASGIApp = create_asgi_app(
            self.world.service, Settings(**settings), PrometheusMeter(), self.world.meter
        )

    async def key(self, *scopes: str, tenant_id: int = 1) -> str:
        draft = KeyDraft(tenant_id, frozenset(scopes))
        return (await self.world.service.registry.issue(draft)).text

    async def client(self, *scopes: str, tenant_id: int = 1) -> httpx.AsyncClient:
        return self.carrying(await self.key(*scopes, tenant_id=tenant_id))

    def carrying(self, key: str) -> httpx.AsyncClient:
        client = self.bare()
        client.headers["authorization"] = f"Bearer {key}"
        return client

    def bare(self) -> httpx.AsyncClient:
        return open_client(self.app)
