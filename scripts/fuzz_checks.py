"""What Schemathesis is told of a pass of scripts/fuzz_api, through the environment.

Made-up ids are never found. So half of them become ids that exist, of this tenant or of another,
whose texts and rows then must not show.
"""

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


@schemathesis.check
def nothing_of_others(context: Any, response: Any, case: Any) -> None:
    """What belongs to others is neither told, nor reached under its id."""
    if MARK:
        assert MARK not in response.text, "the answer holds another tenant's text"
        parameters = (case.path_parameters or {}).items()
        named = [name for name, value in parameters if value in KNOWN.get(name, [])]
        assert not named or response.status_code >= 400, f"another tenant's {named} was reached"
