"""Rate limits: so many calls in so long, counted over any span of that length."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal, Self

Operation = Literal["write", "search", "read"]
"""What a call does; a batch writes as many times as it holds memories."""

UNIT_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
}
UNIT_NAMES = {1: "second", 60: "minute", 3600: "hour", 86_400: "day"}
UNLIMITED = "unlimited"
MOST = 1_000_000_000
FORM = re.compile(r"(\d{1,10})(?: ?/ ?(\d{0,5}) ?([a-z]+)(?: burst (\d{1,10}))?)?")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `count` calls in any span of `seconds`; `1 / limit` reads as `limit.seconds`."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `60/minute`, `5/10 seconds`, `60/min burst 10` or a bare `60` (a minute's).

        A burst b shortens the span: 60/minute burst 10 is 10 in any 10 seconds, the same rate.
        Raises ValueError that names the form.
        """
        parts = FORM.fullmatch(text.strip().lower())
        if parts is None or (parts[3] or "minute") not in UNIT_SECONDS:
            raise ValueError("write a limit as N/unit: 60/minute, 10/second, 5000/day")
        count = int(parts[1])
        seconds = float(int(parts[2] or 1) * UNIT_SECONDS[parts[3] or "minute"])
        burst = int(parts[4]) if parts[4] else count
        if not 0 < burst <= count <= MOST or not seconds:
            raise ValueError(f"a limit is 1 to {MOST}, and its burst no more than that")
        return cls(burst, seconds * burst / count)

    def __str__(self) -> str:
        """The form that `parse` reads."""
        if self.seconds in UNIT_NAMES:
            return f"{self.count}/{UNIT_NAMES[int(self.seconds)]}"
        return f"{self.count}/{ceil(self.seconds)} seconds"


def parse_optional(text: str) -> RateLimit | None:
    """A limit, or None for `unlimited`; raises ValueError."""
    return None if text.strip().lower() == UNLIMITED else RateLimit.parse(text)


@dataclass(frozen=True, slots=True)
class LimitRules:
    """The limits in force for a tenant's calls; None sets no limit."""

    tenant: RateLimit | None = None
    key: RateLimit | None = None
    agent_writes: RateLimit | None = None
    agent_searches: RateLimit | None = None
    agent_reads: RateLimit | None = None

    def of_agent(self, operation: Operation) -> RateLimit | None:
        """What one agent may do of one operation."""
        if operation == "write":
            return self.agent_writes
        return self.agent_searches if operation == "search" else self.agent_reads

    def change(self, overrides: Mapping[str, str]) -> Self:
        """These rules, with some limits written anew; `unlimited` takes one away."""
        limits = {name: parse_optional(text) for name, text in overrides.items()}
        return replace(self, **limits)

    def __bool__(self) -> bool:
        """Whether anything is limited at all."""
        return any(
            (self.tenant, self.key, self.agent_writes, self.agent_searches, self.agent_reads)
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """How one limit stands after a call: `reset_seconds` until all of it is free again."""

    name: str
    limit: RateLimit
    remaining: int
    reset_seconds: int
