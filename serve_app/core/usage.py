"""What a tenant holds, and how much it may hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Quota:
    """Memories of every status, and the bytes of their contents in UTF-8; None sets no quota."""

    memories: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What is stored of a tenant now, in the same units."""

    memories: int
    bytes: int
    quota: Quota


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """What an operator has set for one tenant; `rates` are texts by LimitRules' names."""

    rates: Mapping[str, str] = field(default_factory=dict[str, str])
    quota: Quota = Quota()
