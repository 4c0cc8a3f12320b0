"""Under which ranking profiles, and with which weights, an evaluation asks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serve_app.core.errors import ConfigurationError

ALPHA = "alpha"
DECAY = "decay"
FIELDS_OF_SEARCH = frozenset({ALPHA, "importance_weight", "as_of", "include_context", "top_k"})
"""What a search takes beside `weights`; every other name is that of a weight."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A way of ranking: `fields` are what a search sends for it, `label` is how it is told."""

    label: str
    fields: dict[str, Any]


def read_profiles(written: Sequence[str], alpha: float | None) -> list[Profile]:
    """Profiles as `NAME` or `NAME:WEIGHT=NUMBER,...`; `alpha` belongs to `decay`, and to it alone.

    Raises ConfigurationError where a profile is named twice or `alpha` belongs to none.
    """
    profiles = [_read_profile(text, alpha) for text in written]
    labels = [profile.label for profile in profiles]
    if len(set(labels)) < len(labels):
        raise ConfigurationError(f"each profile is asked once: {', '.join(labels)}")
    if alpha is not None and not any(ALPHA in profile.fields for profile in profiles):
        raise ConfigurationError(f"--alpha belongs to the profile {DECAY}, and it is not asked")
    return profiles


def _read_profile(text: str, alpha: float | None) -> Profile:
    name, _, rest = text.partition(":")
    given = dict(_read_field(text, pair) for pair in rest.split(",") if pair)
    fields = {name: value for name, value in given.items() if name in FIELDS_OF_SEARCH}
    if weights := {name: value for name, value in given.items() if name not in fields}:
        fields["weights"] = weights
    if name == DECAY and alpha is not None and ALPHA not in fields:
        fields[ALPHA] = alpha
        text = f"{text}{',' if rest else ':'}{ALPHA}={alpha:g}"
    return Profile(text, {"profile": name, **fields})


def _read_field(text: str, pair: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not (name and equals):
        raise ConfigurationError(f"{text}: write NAME:WEIGHT=NUMBER,...")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
