"""What a check of a contract is, and what all of them do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

Run = Callable[[httpx.AsyncClient], Awaitable[None]]

MEMORY_FIELDS = [
    "id",
    "agent_id",
    "user_id",
    "content",
    "importance",
    "memory_type",
    "created_at",
    "score",
]
NOT_FOUND = "Memory not found or does not belong to this agent."


@dataclass(frozen=True)
class Check:
    """One row, field, limit or status."""

    name: str
    run: Run

    @property
    def __name__(self) -> str:
        return self.name

    async def __call__(self, client: httpx.AsyncClient) -> None:
        await self.run(client)


CHECKS: list[Check] = []


def check(run: Run) -> Run:
    """Enter a check under its function's name."""
    CHECKS.append(Check(run.__name__, run))
    return run


def new_scope() -> dict[str, str]:
    return {"agent_id": f"agent-{uuid4()}", "user_id": "user-1"}


async def write(client: httpx.AsyncClient, scope: dict[str, str], **fields: Any) -> Any:
    response = await client.post("/v1/memories", json={**scope, "content": "a fact", **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def find(client: httpx.AsyncClient, scope: dict[str, str], **fields: Any) -> Any:
    body = {**scope, "query": "a fact", **fields}
    response = await client.post("/v1/memories/search", json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def count(client: httpx.AsyncClient, scope: dict[str, str]) -> int:
    response = await client.get("/v1/memories/count", params=scope)
    assert response.status_code == 200, response.text
    return response.json()["count"]
