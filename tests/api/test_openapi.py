import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from serve_app.asgi import create_api
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.fakes.world import World


def properties(api: FastAPI, name: str) -> dict[str, Any]:
    return api.openapi()["components"]["schemas"][name]["properties"]


def test_defaults_of_a_search_are_those_of_the_settings(world: World):
    settings = Settings(default_top_k=7, default_alpha=0.25)
    api = create_api(world.service, settings, PrometheusMeter())
    fields = properties(api, "SearchRequest")
    assert (fields["top_k"]["default"], fields["alpha"]["default"]) == (7, 0.25)


def test_it_is_made_once(api: FastAPI):
    assert api.openapi() is api.openapi()


def test_every_operation_tells_of_problems(api: FastAPI):
    for path in api.openapi()["paths"].values():
        for operation in path.values():
            for status in ("4XX", "5XX"):
                assert list(operation["responses"][status]["content"]) == [
                    "application/problem+json"
                ]
            assert "422" not in operation["responses"]


def test_a_change_is_not_described_as_nullable(api: FastAPI):
    assert all("anyOf" not in field for field in properties(api, "MemoryPatch").values())
    assert properties(api, "MemoryPatch")["content"]["maxLength"] == 8000


def test_a_batch_describes_its_items(api: FastAPI):
    items = properties(api, "BatchRequest")["memories"]["items"]
    assert items["required"] == ["agent_id", "user_id", "content"]
    assert items["additionalProperties"] is False


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_load_nothing_from_elsewhere(client: httpx.AsyncClient, page: str):
    html = (await client.get(page)).text
    sources = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(sources) >= 2
    for source in sources:
        assert source.startswith("/")
        assert not source.startswith("//")
        assert (await client.get(source)).status_code == 200
