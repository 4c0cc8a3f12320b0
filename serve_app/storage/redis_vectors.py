"""Vectors that replicas share in Redis, or in what speaks its protocol."""

import asyncio
from collections.abc import Mapping, Sequence

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from serve_app.core.errors import Unavailable

PREFIX = "fleetmem:vectors:"
CONNECTIONS = 2
"""One finds and one keeps: both are opened before the first caller waits for an answer."""

ANSWER_SECONDS = 1.0


class RedisVectors:
    """Implements ports.VectorStore; what is kept lives for `seconds`, unless Redis evicts it."""

    def __init__(self, url: str, seconds: int) -> None:
        self._seconds = seconds
        self._redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=ANSWER_SECONDS,
                socket_timeout=ANSWER_SECONDS,
                socket_connect_timeout=ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        )

    async def find(self, names: Sequence[str]) -> list[bytes | None]:
        """See ports.VectorStore."""
        try:
            values = await self._redis.mget([PREFIX + name for name in names])
        except (RedisError, OSError) as error:
            raise Unavailable("the shared cache does not answer") from error
        return [value if isinstance(value, bytes) else None for value in values]

    async def keep(self, values: Mapping[str, bytes]) -> None:
        """See ports.VectorStore."""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name, value in values.items():
                    pipeline.set(PREFIX + name, value, ex=self._seconds)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            raise Unavailable("the shared cache does not answer") from error

    async def check_health(self) -> None:
        """See ports.VectorStore."""
        pings = [self._redis.execute_command("PING") for _ in range(CONNECTIONS)]
        try:
            await asyncio.gather(*pings)
        except (RedisError, OSError) as error:
            raise Unavailable("the shared cache does not answer") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose(close_connection_pool=True)
