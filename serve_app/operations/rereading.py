"""What every call looks at and few change: read again in the background, by one read for all."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from serve_app.core.errors import Unavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
"""How long a value is used before it is read again."""


class Reread(Generic[T]):
    """A value of the database, which is `value` until it was read; `name` is for the log."""

    def __init__(
        self, name: str, value: T, read: Callable[[], Awaitable[T]], clock: Callable[[], float]
    ) -> None:
        self._name = name
        self._value = value
        self._read_value = read
        self._clock = clock
        self._read_again_at = -1.0
        self._reading: asyncio.Task[None] | None = None

    async def find(self) -> T:
        """The value as it was a few seconds ago; only the very first call waits for it."""
        if self._clock() >= self._read_again_at:
            is_first = self._read_again_at < 0
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
            if is_first:
                await asyncio.shield(self._reading)
        return self._value

    async def _read(self) -> None:
        """Read it; where that fails the old one stays in force."""
        try:
            self._value = await self._read_value()
        except Unavailable as error:
            logger.warning("%s cannot be read: %s", self._name, error.code)
        finally:
            self._read_again_at = self._clock() + FRESH_SECONDS
            self._reading = None
