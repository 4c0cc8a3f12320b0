"""Entity tags (RFC 9110, section 8.8): a memory's id and version, strong, in both directions."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import Header

from serve_app.core.memory import Memory

IfMatch = Annotated[
    str | None,
    Header(description="ETags of the versions that may be changed; any other version is 412"),
]
IfNoneMatch = Annotated[
    str | None,
    Header(description="ETags that the caller has: 304 without a body"),
]


def write_etag(memory: Memory) -> str:
    """The tag of what a memory is now: no two versions of any memory share one."""
    return f'"{memory.id.hex}.{memory.version}"'


def read_expected(header: str | None, memory_id: UUID) -> frozenset[int] | None:
    """The versions that If-Match names; None allows any. Weak tags match nothing (13.1.1)."""
    if header is None or header.strip() == "*":
        return None
    return frozenset(version for version, is_weak in _tags(header, memory_id) if not is_weak)


def is_known(header: str | None, memory: Memory) -> bool:
    """Whether If-None-Match names what the memory is now, weakly compared (13.1.2)."""
    if header is None:
        return False
    versions = {version for version, _ in _tags(header, memory.id)}
    return header.strip() == "*" or memory.version in versions


def _tags(header: str, memory_id: UUID) -> list[tuple[int, bool]]:
    """The versions of one memory among the tags, and whether each is weak."""
    pattern = rf'(W/)?"{memory_id.hex}\.([1-9][0-9]{{0,8}})"'
    return [(int(version), bool(weak)) for weak, version in re.findall(pattern, header)]
