"""The windows of rate limits in Redis: one script for each request, which nothing interrupts."""

from collections.abc import Callable
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from serve_app.core.errors import Unavailable
from serve_app.core.token_window import TokenGrant, TokenRequest

SCRIPT = Path(__file__).parent / "lease_tokens.lua"
ANSWER_SECONDS = 1.0


class RedisTokens:
    """Implements ports.TokenStore; the clock is the server's unless a test gives its own."""

    def __init__(self, url: str, clock: Callable[[], float] | None = None) -> None:
        self._redis = Redis.from_url(
            url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
        )
        self._script = self._redis.register_script(SCRIPT.read_text(encoding="utf-8"))
        self._clock = clock

    async def lease(self, request: TokenRequest) -> TokenGrant:
        """See ports.TokenStore."""
        name = f"fleetmem:tokens:{request.tenant_id}:{request.subject.hex()}"
        block = request.settlement
        arguments: list[str | int | float] = [
            request.limit.count,
            request.limit.seconds,
            request.least,
            request.due,
            request.ahead,
            "" if block is None else block.slot,
            0 if block is None else block.spent,
            0 if block is None else block.unspent,
            0.0 if block is None else block.idle,
            "" if self._clock is None else repr(self._clock()),
        ]
        try:
            granted, free, lifetime, slot, wait = await self._script([name], arguments)
        except (RedisError, OSError) as error:
            raise Unavailable("the store of rate limits does not answer") from error
        return TokenGrant(int(granted), int(free), float(lifetime), int(slot), float(wait))

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
