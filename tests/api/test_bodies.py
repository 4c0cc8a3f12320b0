from collections.abc import AsyncIterator

import httpx
import pytest

from serve_app.api.bodies import MAX_DEPTH, parse_object
from serve_app.api.errors import (
    DuplicateKey,
    InvalidEncoding,
    MalformedJson,
    NestingTooDeep,
)
from serve_app.core.errors import FleetmemError

JSON = {"content-type": "application/json"}


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_an_object_is_parsed():
    assert parse_object(b' {"a": [1, 2.5, null, "\xc3\xa9"]} ') == {"a": [1, 2.5, None, "é"]}


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", MalformedJson),
        (b"{", MalformedJson),
        (b"[1]", MalformedJson),
        (b"7", MalformedJson),
        (b'{"a": NaN}', MalformedJson),
        (b'{"a": -Infinity}', MalformedJson),
        (b'{"a": 1,}', MalformedJson),
        (b"{'a': 1}", MalformedJson),
        (b'{"a": 1} {}', MalformedJson),
        (b'{"a": ' + b"9" * 5000 + b"}", MalformedJson),
        (b'{"a": "\xff"}', InvalidEncoding),
        (b'{"a": 1, "a": 2}', DuplicateKey),
        (b'{"b": [{"a": 1, "a": 1}]}', DuplicateKey),
        (b'{"a": "\x00"}', MalformedJson),
        (nested(MAX_DEPTH + 1), NestingTooDeep),
        (nested(100_000), NestingTooDeep),
        (b'{"a":' + b"[" * 100_000, NestingTooDeep),
    ],
)
def test_what_is_not_one_plain_object_is_refused(raw: bytes, error: type[FleetmemError]):
    with pytest.raises(error):
        parse_object(raw)


def test_the_deepest_allowed_body_is_parsed():
    assert parse_object(nested(MAX_DEPTH))


def test_a_refusal_tells_the_place_and_quotes_nothing():
    with pytest.raises(MalformedJson) as refusal:
        parse_object(b'{"content": "secret" oops}')
    assert "line 1, column 22" in refusal.value.message
    assert "secret" not in refusal.value.message


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]
)
async def test_another_content_type_is_415(client: httpx.AsyncClient, content_type: str):
    response = await client.post(
        "/v1/memories", content=b"{}", headers={"content-type": content_type}
    )
    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"


async def test_a_charset_and_capitals_are_no_other_type(client: httpx.AsyncClient):
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    response = await client.post("/v1/memories", content=b"{}", headers=headers)
    assert response.status_code == 422


class Chunks:
    """A body in chunks without a declared length; remembers how many were taken."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.taken += 1
            yield chunk


async def test_a_declared_length_over_the_limit_is_413_before_reading(client: httpx.AsyncClient):
    body = Chunks(b"{", b"}")
    response = await client.post(
        "/v1/memories", content=body, headers={**JSON, "content-length": "65537"}
    )
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert body.taken == 0


async def test_a_chunked_body_is_413_when_it_passes_the_limit(client: httpx.AsyncClient):
    body = Chunks(b"{" + b" " * 40_000, *[b" " * 40_000] * 9)
    response = await client.post("/v1/memories", content=body, headers=JSON)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert body.taken == 2


async def test_a_body_of_exactly_the_limit_is_read(client: httpx.AsyncClient):
    body = b"{" + b" " * (65_536 - 2) + b"}"
    response = await client.post("/v1/memories", content=body, headers=JSON)
    assert response.status_code == 422


async def test_what_cannot_be_an_object_is_refused_at_its_first_byte(client: httpx.AsyncClient):
    body = Chunks(b" \n", b"\t", b"[", *[b"1,"] * 50)
    response = await client.post("/v1/memories", content=body, headers=JSON)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")
    assert body.taken == 3


async def test_an_empty_body_is_malformed(client: httpx.AsyncClient):
    response = await client.post("/v1/memories", headers=JSON)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


async def test_a_batch_may_be_larger_than_a_memory(client: httpx.AsyncClient):
    body = b'{"memories": []' + b" " * 100_000 + b"}"
    assert (await client.post("/v1/memories", content=body, headers=JSON)).status_code == 413
    batch = await client.post("/v1/memories/batch", content=body, headers=JSON)
    assert batch.status_code == 422


async def test_a_batch_has_a_limit_of_its_own(client: httpx.AsyncClient):
    headers = {**JSON, "content-length": str(1_048_577)}
    response = await client.post("/v1/memories/batch", content=Chunks(b"{}"), headers=headers)
    assert response.status_code == 413


async def test_a_query_string_that_is_not_utf_8_is_refused(client: httpx.AsyncClient):
    response = await client.get("/v1/memories/count?agent_id=%ff&user_id=u")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_encoding")
