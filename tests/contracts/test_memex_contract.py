"""memex's contract, held in process; the same checks run over real HTTP against Ray."""

import httpx
import pytest

from serve_app.asgi import create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.contracts.memex_contract import MEMEX_CONTRACT, Check
from tests.fakes.world import World


@pytest.mark.parametrize("check", MEMEX_CONTRACT, ids=lambda check: check.name)
async def test_memex_contract_in_process(check: Check) -> None:
    world = TickingWorld()
    app = create_asgi_app(world.service, Settings(), PrometheusMeter(), world.meter)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://fleetmem.test") as client:
        await check(client)


class TickingWorld(World):
    """A world in which every id is given a second after the one before."""

    def new_id(self):
        self.advance(seconds=1)
        return super().new_id()
