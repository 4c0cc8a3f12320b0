"""memex's HTTP interface, check by check; each runs against any server and leaves others alone.

`MEMEX_CONTRACT` holds the checks: await one with an httpx.AsyncClient that has a base URL. Every
check invents its own agent, so the server may hold anything.
"""

from tests.contracts import (
    memex_create,
    memex_delete_and_count,
    memex_search,
    memex_service,
)
from tests.contracts.checks import CHECKS, Check

MEMEX_CONTRACT: list[Check] = CHECKS

__all__ = [
    "MEMEX_CONTRACT",
    "Check",
    "memex_create",
    "memex_delete_and_count",
    "memex_search",
    "memex_service",
]
