"""memex's contract, row by row, over real HTTP against real Ray, Postgres and model."""

import httpx
import pytest

from tests.contracts.memex_contract import MEMEX_CONTRACT
from tests.service.running import RunningService


@pytest.mark.parametrize("check", MEMEX_CONTRACT, ids=lambda check: check.__name__)
async def test_memex_contract(check, service: RunningService) -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        await check(client)
