"""More of what a hostile caller may send: to an open service, at its newer doors and fields.

As in hostile_requests.py, the last two columns are what docs/errors.md promises.
"""

from typing import Any

from tests.service.hostile_requests import (
    HAPROXY,
    NOBODY,
    OK,
    SHORT_FOR,
    STORE,
    Hostile,
    memory,
    question,
    told,
)
from tests.service.raw_http import ask, send

KEYS, TENANTS, USAGE = "/v1/keys", "/v1/tenants", "/v1/usage"
OTHER_KEY = b"fm_live_" + b"0" * 16 + b"_" + b"A" * 43


def shown(*headers: bytes) -> bytes:
    return ask("GET", STORE, *headers)


def revised(*headers: bytes) -> bytes:
    return send("PATCH", NOBODY, b'{"importance": 1}', *headers)


def weighed(**weights: Any) -> bytes:
    return question(weights=weights)


SHOWN_KEYS = [
    ("a key that nobody needs", shown(b"x-api-key: " + OTHER_KEY), 200, OK),
    ("a key of another world", shown(b"Authorization: Bearer sk-proj-1"), 200, OK),
    ("an empty key", shown(b"Authorization: Bearer"), 200, OK),
    ("a name and a password", shown(b"Authorization: Basic YTpi"), 200, OK),
    ("a key beyond ASCII", shown(b"x-api-key: \xc3\xa9\xff"), 200, OK),
    ("two keys", shown(b"x-api-key: a", b"Authorization: Bearer b"), 400, "two_keys"),
    ("two keys in one header", shown(b"x-api-key: a", b"X-API-Key: b"), 400, "two_keys"),
    ("a key and none", shown(b"x-api-key: a", b"X-Memnex-API-Key:"), 400, "two_keys"),
    ("one key twice", shown(b"x-api-key: a", b"authorization: bearer  a "), 200, OK),
    ("9 kB of key", shown(b"x-api-key: " + b"a" * 9000), 431, "headers_too_large"),
    ("a key with NUL", shown(b"x-api-key: a\0b"), 400, HAPROXY),
]

KEPT_FOR_KEYS = [
    # Who may not call is told so before fields and names are looked at.
    ("keys without a key", ask("GET", KEYS), 403, "scope"),
    ("a first key over HTTP", send("POST", KEYS, b'{"scopes":["operator"]}'), 403, "scope"),
    ("a key for nothing", send("POST", KEYS, b'{"scopes": []}'), 403, "scope"),
    ("no JSON for a key", send("POST", KEYS, b"{{"), 400, "malformed_json"),
    ("a key of SQL", ask("DELETE", KEYS + "/'%3B--"), 403, "scope"),
    ("a key of dots", ask("DELETE", KEYS + "/.."), 403, "scope"),
    ("a key of NUL", ask("DELETE", KEYS + "/%00"), 403, "scope"),
    ("tenants without a key", ask("GET", TENANTS), 403, "scope"),
    ("a tenant without a key", send("POST", TENANTS, b'{"name": "acme"}'), 403, "scope"),
    ("a tenant's end", send("PATCH", TENANTS + "/x", b'{"status":"suspended"}'), 403, "scope"),
    ("usage of another", ask("GET", USAGE + "?tenant_id=2"), 200, OK),
    ("usage of one's own making", send("POST", USAGE, b"{}"), 405, "method_not_allowed"),
]

CONDITIONS = [
    ("a tag of nothing", revised(b'If-Match: ""'), 404, "memory_not_found"),
    ("any tag", revised(b"If-Match: *"), 404, "memory_not_found"),
    ("no tag at all", revised(b"If-Match: ("), 404, "memory_not_found"),
    ("tags beyond ASCII", revised(b'If-Match: "\xff\xfe"'), 404, "memory_not_found"),
    ("a tag of SQL", revised(b'If-Match: "\' or 1=1 --"'), 404, "memory_not_found"),
    ("a thousand tags", revised(b"If-Match: " + b'"a",' * 1000), 404, "memory_not_found"),
    ("two lists of tags", revised(b'If-Match: "a"', b"If-Match: *"), 404, "memory_not_found"),
    (
        "a version of 10 digits",
        ask("GET", NOBODY, b'If-None-Match: "01890000000070008000000000000000.9999999999"'),
        404,
        "memory_not_found",
    ),
    ("versions of nobody", ask("GET", NOBODY + "/versions"), 404, "memory_not_found"),
    ("version 0", ask("GET", NOBODY + "/versions?cursor=0"), 422, "input"),
    ("version 2^31", ask("GET", NOBODY + "/versions?cursor=2147483648"), 422, "input"),
    ("versions of SQL", ask("GET", NOBODY + "/versions?limit=1%3B--"), 422, "input"),
]

RANKING = [
    ("a profile of nobody", question(profile="best"), 422, "input"),
    ("a profile of none", question(profile=""), 422, "input"),
    ("a profile that is a list", question(profile=["decay"]), 422, "input"),
    ("two ways to weigh", question(alpha=0.5, weights={"words": 1}), 422, "input"),
    ("alpha of another profile", question(profile="hybrid", alpha=0.5), 422, "input"),
    ("a weight that is none", weighed(word=1), 422, "input"),
    ("a weight of null", weighed(words=None), 422, "input"),
    ("a weight of text", weighed(words="1"), 422, "input"),
    ("a weight below 0", weighed(words=-1e-9), 422, "input"),
    ("weights of nothing", weighed(), 200, OK),
    ("weights all of 0", weighed(similarity=0, recency=0, importance=0, words=0), 200, OK),
    ("weights of dust", weighed(words=1e-300, date=1e-308, similarity=1e-320), 200, OK),
    ("a half-life of 0", weighed(half_life_days=0), 422, "input"),
    ("a half-life of dust", weighed(half_life_days=1e-300), 422, "input"),
    ("weights that are a list", question(weights=[1, 2]), 422, "input"),
    ("weights named as Python's own", weighed(__class__=1), 422, "input"),
    ("6 neighbours", question(include_context=6), 422, "input"),
    ("true neighbours", question(include_context=True), 422, "input"),
    ("neighbours of all profiles", question(profile="conversation", include_context=5), 200, OK),
    ("a session of NUL", memory(session_id="a\0b"), 422, "input"),
    ("a session of no name", memory(session_id=""), 422, "input"),
    ("a session of SQL", memory(session_id="' or 1=1 --"), 201, OK),
    (
        "a date of no calendar",
        question(profile="conversation", query="on 31 February 0000"),
        200,
        OK,
    ),
    ("a date far away", question(profile="conversation", query="99999999999 years ago"), 200, OK),
]

QUERIES = [
    "a & | ! <-> :*",
    "tea:*AB & !(",
    "'tea' <-> ''' \\",
    "')::tsquery; select pg_sleep(10) --",
    '{"$where": "sleep(10000)"}',
    '"}, {"query": "',
    "a" * 2000,
    "\u0301" * 2000,
    "((((((((((" * 100,
    "-1 OR NEAR(tea) site:x",
]
WORDS = [
    (f"words {text[:24]!r} as {profile}", question(query=text, profile=profile), 200, OK)
    for text in QUERIES
    for profile in ("hybrid", "conversation")
]

JSON_TRICKS = [
    (
        "a key that is escaped to another",
        told(b'{"agent_id": "a", "\\u0061gent_id": "b", "user_id": "u", "content": "c"}'),
        400,
        "duplicate_key",
    ),
    ("half a surrogate as a key", told(b'{"\\ud800": 1}'), 422, "input"),
    ("a weight twice", told(b'{"weights": {"words": 1, "words": 0}}'), 400, "duplicate_key"),
    (
        "an object after an object",
        told(b'{"agent_id": "a"}{"agent_id": "b"}'),
        400,
        "malformed_json",
    ),
    ("a comma too much", told(b'{"agent_id": "a",}'), 400, "malformed_json"),
    ("a number of two signs", told(b'{"importance": --1}'), 400, "malformed_json"),
    ("hexadecimal", told(b'{"importance": 0x1}'), 400, "malformed_json"),
]

GROUPS = (SHOWN_KEYS, KEPT_FOR_KEYS, CONDITIONS, RANKING, WORDS, JSON_TRICKS)
SHORT = SHORT_FOR | {"scope": "missing_scope"}
DOORS = [
    Hostile(name, request, status, SHORT.get(code, code))
    for group in GROUPS
    for name, request, status, code in group
]
