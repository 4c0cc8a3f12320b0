"""The windows of rate limits in Postgres: one row for each, locked for one statement."""

from collections.abc import Callable, Sequence
from typing import Any

from serve_app.core.token_window import Settlement, TokenGrant, TokenRequest
from serve_app.storage.connection import Pool, acquired
from serve_app.storage.queries import query

NO_BLOCK = Settlement(0, 0, 0, 0.0)


class PostgresTokens:
    """Implements ports.TokenStore; the clock is the database's unless a test gives its own."""

    def __init__(self, pool: Pool, clock: Callable[[], float] | None = None) -> None:
        self._pool = pool
        self._clock = clock

    async def lease(self, request: TokenRequest) -> TokenGrant:
        """See ports.TokenStore."""
        [grant] = await self.lease_many([request])
        return grant

    async def lease_many(self, requests: Sequence[TokenRequest]) -> list[TokenGrant]:
        """The grants of many requests, in order, in one statement."""
        # One order for all: two statements with the same rows wait for each other in no circle.
        places = sorted(range(len(requests)), key=lambda place: _row(requests[place]))
        columns = _columns([requests[place] for place in places])
        now = self._clock() if self._clock else None
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(query("lease_tokens"), *columns, now)
        grants = dict(zip(places, rows, strict=True))
        return [TokenGrant(*grants[place]) for place in range(len(requests))]

    async def forget_idle(self) -> None:
        """Delete windows that say nothing any more; for Maintenance, which sees every tenant's."""
        async with acquired(self._pool) as connection:
            await connection.execute(query("forget_windows"))


def _row(request: TokenRequest) -> tuple[int, bytes]:
    return request.tenant_id, request.subject


def _columns(requests: Sequence[TokenRequest]) -> list[list[Any]]:
    """The first eleven arrays of lease_tokens.sql."""
    settled = [request.settlement or NO_BLOCK for request in requests]
    return [
        [request.tenant_id for request in requests],
        [request.subject for request in requests],
        [request.limit.count for request in requests],
        [request.limit.seconds for request in requests],
        [request.least for request in requests],
        [request.due for request in requests],
        [request.ahead for request in requests],
        [request.settlement.slot if request.settlement else None for request in requests],
        [block.spent for block in settled],
        [block.unspent for block in settled],
        [block.idle for block in settled],
    ]
