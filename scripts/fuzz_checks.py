"""What Schemathesis is told of a pass of scripts/fuzz_api, through the environment.

Made-up ids are never found. So half of them become ids that exist, of this tenant or of another,
whose texts and rows then must not show. Made-up idempotency keys never come twice: some of them
become one of three.
"""

# Schemathesis comes with the extra `fuzz`, which neither the tests nor the checks need.
# pyright: reportMissingImports=false, reportUntypedFunctionDecorator=false

import json
import os
import zlib
from typing import Any

import schemathesis

PASS = json.loads(os.environ["FLEETMEM_FUZZ_PASS"])
KNOWN: dict[str, list[str]] = PASS["known"]
"""Values that exist, by the name of their path parameter."""

SPARED: list[str] = PASS["spared"]
"""Without these the pass would lock itself out."""

KEYED: bool = PASS["keyed"]
"""Whether the requests of this pass carry a key of their own."""

OTHERS = ("x-api-key", "X-Memnex-API-Key")
"""The page knows three headers for a key, and who gives two different ones is let nowhere."""

AGAIN = ["first", "second", "third"]
"""Idempotency keys that come again and again, under the same requests and under others."""

MARK: str = PASS["mark"]
"""What no answer of this pass may hold; empty where all is the caller's own."""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Put ids that exist in the place of some that were made up, the same ones in a repetition."""
    for name, value in (case.path_parameters or {}).items():
        number = zlib.crc32(repr(value).encode())
        if value in SPARED:
            case.path_parameters[name] = "spared"
        elif name in KNOWN and number % 2:
            case.path_parameters[name] = KNOWN[name][number // 2 % len(KNOWN[name])]
    headers = case.headers or {}
    if KEYED and zlib.crc32(repr(sorted(headers.items())).encode()) % 8:
        for name in OTHERS:
            headers.pop(name, None)
    key = headers.get("Idempotency-Key")
    number = zlib.crc32(repr(key).encode())
    if key and number % 4 == 0:
        headers["Idempotency-Key"] = AGAIN[number // 4 % len(AGAIN)]


@schemathesis.check
def nothing_of_others(context: Any, response: Any, case: Any) -> None:
    """What belongs to others is neither told, nor reached under its id."""
    if MARK:
        assert MARK not in response.text, "the answer holds another tenant's text"
        parameters = (case.path_parameters or {}).items()
        named = [name for name, value in parameters if value in KNOWN.get(name, [])]
        assert not named or response.status_code >= 400, f"another tenant's {named} was reached"
