"""memex's DELETE /v1/memories/{id} and GET /v1/memories/count."""

from functools import partial
from uuid import uuid4

import httpx

from tests.contracts.checks import CHECKS, NOT_FOUND, Check, check, count, find, new_scope, write


@check
async def delete_answers_204_without_a_body_and_the_memory_is_gone(
    client: httpx.AsyncClient,
) -> None:
    scope = new_scope()
    path = f"/v1/memories/{(await write(client, scope))['id']}"
    response = await client.delete(path, params={"agent_id": scope["agent_id"]})
    assert (response.status_code, response.content) == (204, b"")
    assert await count(client, scope) == 0
    assert (await find(client, scope))["total"] == 0
    again = await client.delete(path, params={"agent_id": scope["agent_id"]})
    assert again.status_code == 404


async def delete_finds_nothing(agent_id: str, client: httpx.AsyncClient) -> None:
    scope = new_scope()
    path = f"/v1/memories/{(await write(client, scope))['id']}"
    response = await client.delete(path, params={"agent_id": agent_id})
    assert response.status_code == 404
    assert response.json()["detail"] == NOT_FOUND
    assert await count(client, scope) == 1


for name, agent_id in {
    "of another agent": "somebody-else",
    "of an empty agent": "",
    "of an agent with 300 characters": "a" * 300,
}.items():
    CHECKS.append(Check(f"delete {name} is 404", partial(delete_finds_nothing, agent_id)))


@check
async def delete_of_an_unknown_memory_is_404(client: httpx.AsyncClient) -> None:
    response = await client.delete(f"/v1/memories/{uuid4()}", params={"agent_id": "a"})
    assert response.status_code == 404
    assert response.json()["detail"] == NOT_FOUND


@check
async def delete_without_agent_id_is_422(client: httpx.AsyncClient) -> None:
    assert (await client.delete(f"/v1/memories/{uuid4()}")).status_code == 422


@check
async def delete_of_what_is_no_uuid_is_422(client: httpx.AsyncClient) -> None:
    response = await client.delete("/v1/memories/seven", params={"agent_id": "a"})
    assert response.status_code == 422


# GET /v1/memories/count


@check
async def count_answers_the_scope_and_the_number(client: httpx.AsyncClient) -> None:
    scope = new_scope()
    for _ in range(3):
        await write(client, scope)
    response = await client.get("/v1/memories/count", params=scope)
    assert response.json() == {**scope, "count": 3}
    assert list(response.json()) == ["agent_id", "user_id", "count"]


@check
async def count_of_an_unknown_scope_is_0(client: httpx.AsyncClient) -> None:
    assert await count(client, new_scope()) == 0


@check
async def count_takes_ids_of_any_length(client: httpx.AsyncClient) -> None:
    assert await count(client, {"agent_id": "a" * 300, "user_id": ""}) == 0


async def count_needs(parameter: str, client: httpx.AsyncClient) -> None:
    scope = new_scope()
    del scope[parameter]
    assert (await client.get("/v1/memories/count", params=scope)).status_code == 422


for parameter in ("agent_id", "user_id"):
    CHECKS.append(Check(f"count needs {parameter}", partial(count_needs, parameter)))
