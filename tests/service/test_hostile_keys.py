"""Hostile keys, and hostile requests of those who have a key, at a service that is closed.

Beside the real keys of a real Postgres, without sockets: what HTTP itself refuses is tried by
test_hostile_requests.py, on an open service.
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from serve_app.core.principal import MEMORY_READ
from serve_app.settings import load_settings
from serve_app.storage.connection import open_pool
from tests.api.conftest import open_client
from tests.fakes.world import World
from tests.service.test_keys import Replica, let_in, operate

KNOWN_TENANTS, LONGEST_LABEL = 2, "x" * 129


@pytest.fixture
async def replica(fresh_dsn: str) -> AsyncIterator[Replica]:
    address = SecretStr(fresh_dsn)
    settings = load_settings(database_url=address, db_min_pool_size=1, db_max_pool_size=2)
    pool = await open_pool(settings)
    yield Replica(pool, settings, World())
    await pool.close()


def tell(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"] if answer.status_code >= 400 else "ok"


async def test_no_key_but_a_good_one_opens(replica: Replica) -> None:
    admin = await let_in(replica, "acme")
    good = admin.headers["authorization"].removeprefix("Bearer ")
    revoked = (await admin.post("/v1/keys", json={"scopes": [MEMORY_READ]})).json()
    await admin.delete(f"/v1/keys/{revoked['key_id']}")
    unknown, malformed = (401, "unauthenticated"), (401, "unauthenticated")
    cases: dict[str, tuple[list[tuple[str, bytes | str]], tuple[int, str]]] = {
        "none": ([], unknown),
        "empty": ([("authorization", "Bearer ")], malformed),
        "empty beside": ([("x-api-key", "")], malformed),
        "no scheme": ([("authorization", good)], unknown),
        "Basic": ([("authorization", f"Basic {good}")], unknown),
        "a scheme of capitals": ([("authorization", f"BEARER {good}")], (200, "ok")),
        "a scheme of small letters": ([("authorization", f"bearer {good}")], (200, "ok")),
        "three headers": (
            [("authorization", f"Bearer {good}"), ("x-api-key", good), ("X-Memnex-API-Key", good)],
            (200, "ok"),
        ),
        "Basic beside a key": ([("authorization", "Basic eA=="), ("x-api-key", good)], (200, "ok")),
        "two": ([("authorization", f"Bearer {good}"), ("x-api-key", "a")], (400, "two_keys")),
        "two, one empty": ([("x-api-key", good), ("x-memnex-api-key", "")], (400, "two_keys")),
        "two in one": ([("x-api-key", f"{good},{good}")], unknown),
        "in a cookie": ([("cookie", f"key={good}")], unknown),
        "beyond ASCII": ([("x-api-key", good.encode() + b"\xc3\xa9")], malformed),
        "no letters": ([("x-api-key", b"\xff\xfe\xfd")], malformed),
        "another prefix": ([("x-api-key", good.replace("fm_live_", "fm_evil_"))], malformed),
        "the prefix alone": ([("x-api-key", "fm_live_")], malformed),
        "a secret of another": ([("x-api-key", good[:-1] + "~")], malformed),
        "a wrong secret": ([("x-api-key", good[:25] + "A" * 43)], unknown),
        "an unknown id": ([("x-api-key", "fm_live_" + "0" * 16 + good[24:])], unknown),
        "a tail": ([("x-api-key", good + " " + "x" * 300)], malformed),
        "an id of SQL": ([("x-api-key", "fm_live_' or 1=1 --_" + "A" * 43)], malformed),
        "an id of two": ([("x-api-key", "fm_live_" + "0" * 15 + ",_" + "A" * 43)], malformed),
        "revoked": ([("x-api-key", revoked["key"])], unknown),
        "10 kB": ([("x-api-key", "x" * 10_000)], (431, "headers_too_large")),
    }
    found: dict[str, tuple[int, str]] = {}
    for name, (headers, _) in cases.items():
        raw = [
            (key.encode(), value if isinstance(value, bytes) else value.encode())
            for key, value in headers
        ]
        found[name] = tell(await open_client(replica.app).get("/v1/memories", headers=raw))
        assert (await admin.get("/v1/memories")).status_code == 200, name
    assert found == {name: answer for name, (_, answer) in cases.items()}


async def test_who_has_a_key_gets_the_documented_answers(replica: Replica) -> None:
    operator, admin = await operate(replica), await let_in(replica, "acme")
    theirs = (await operator.post("/v1/keys", json={"scopes": [MEMORY_READ]})).json()["key_id"]
    keys: Any = {"scopes": [MEMORY_READ]}
    invalid, missing = (422, "invalid_input"), (404, "key_not_found")
    cases: dict[str, tuple[httpx.AsyncClient, str, str, Any, tuple[int, str]]] = {
        "no scopes": (admin, "POST", "/v1/keys", {"scopes": []}, invalid),
        "every scope": (admin, "POST", "/v1/keys", {"scopes": ["*"]}, invalid),
        "seven scopes": (admin, "POST", "/v1/keys", {"scopes": [MEMORY_READ] * 7}, invalid),
        "scopes in a text": (admin, "POST", "/v1/keys", {"scopes": MEMORY_READ}, invalid),
        "more than one has": (
            *(admin, "POST", "/v1/keys", {"scopes": ["operator"]}, (403, "missing_scope")),
        ),
        "another's tenant": (admin, "POST", "/v1/keys", keys | {"tenant_id": 1}, invalid),
        "a long label": (admin, "POST", "/v1/keys", keys | {"label": LONGEST_LABEL}, invalid),
        "a label of escapes": (admin, "POST", "/v1/keys", keys | {"label": "\x1b[2J"}, invalid),
        "a label of NUL": (admin, "POST", "/v1/keys", keys | {"label": "\0"}, invalid),
        "dead already": (
            *(admin, "POST", "/v1/keys", keys | {"expires_at": "2020-01-01T00:00:00Z"}, invalid),
        ),
        "no end of time": (admin, "POST", "/v1/keys", keys | {"expires_at": "9999-99"}, invalid),
        "another kind": (admin, "POST", "/v1/keys", keys | {"kind": "admin"}, invalid),
        "another tenant's key": (admin, "DELETE", f"/v1/keys/{theirs}", None, missing),
        "another tenant's, anew": (admin, "POST", f"/v1/keys/{theirs}/rotate", {}, missing),
        "a key of SQL": (admin, "DELETE", "/v1/keys/'%20or%201=1%20--", None, missing),
        "a key of two": (admin, "DELETE", f"/v1/keys/{theirs},{theirs}", None, missing),
        "a key of NUL": (admin, "DELETE", "/v1/keys/%00", None, invalid),
        "a negative grace": (
            *(admin, "POST", f"/v1/keys/{theirs}/rotate", {"grace_seconds": -1}, invalid),
        ),
        "a grace of true": (
            *(admin, "POST", f"/v1/keys/{theirs}/rotate", {"grace_seconds": True}, invalid),
        ),
        "an admin's tenants": (admin, "GET", "/v1/tenants", None, (403, "missing_scope")),
        "capitals": (operator, "POST", "/v1/tenants", {"name": "ACME"}, invalid),
        "a line end": (operator, "POST", "/v1/tenants", {"name": "acme\n"}, invalid),
        "64 letters": (operator, "POST", "/v1/tenants", {"name": "a" * 64}, invalid),
        "no name": (operator, "POST", "/v1/tenants", {"name": ""}, invalid),
        "a name of SQL": (operator, "POST", "/v1/tenants", {"name": "%' or 1=1"}, invalid),
        "a name that is taken": (
            *(operator, "POST", "/v1/tenants", {"name": "acme"}, (409, "name_taken")),
        ),
        "nobody's end": (
            *(operator, "PATCH", "/v1/tenants/%25", {"status": "suspended"}),
            (404, "tenant_not_found"),
        ),
        "a third status": (operator, "PATCH", "/v1/tenants/acme", {"status": "gone"}, invalid),
        "one's own end": (
            *(operator, "PATCH", "/v1/tenants/default", {"status": "suspended"}, invalid),
        ),
    }
    found: dict[str, tuple[int, str]] = {}
    for name, (client, method, path, body, _) in cases.items():
        found[name] = tell(await client.request(method, path, json=body))
        assert (await admin.get("/v1/usage")).status_code == 200, name
    assert found == {name: case[-1] for name, case in cases.items()}
    assert len((await operator.get("/v1/tenants")).json()["tenants"]) == KNOWN_TENANTS
