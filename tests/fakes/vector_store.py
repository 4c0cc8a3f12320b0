"""Shared vectors in a dictionary, held to the same contract as Redis."""

import asyncio
from collections.abc import Mapping, Sequence

from serve_app.core.errors import Unavailable


class InMemoryVectorStore:
    """Implements ports.VectorStore; `down` makes it raise, a cleared `gate` makes it hang.

    `asked` is set by a look-up.
    """

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.looked_up: list[list[str]] = []
        self.down = False
        self.opened = 0
        self.asked, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def find(self, names: Sequence[str]) -> list[bytes | None]:
        self.looked_up.append(list(names))
        self.asked.set()
        await self._answer()
        return [self.values.get(name) for name in names]

    async def keep(self, values: Mapping[str, bytes]) -> None:
        await self._answer()
        self.values |= values

    async def check_health(self) -> None:
        self.opened += 1
        await self._answer()

    async def _answer(self) -> None:
        await self.gate.wait()
        if self.down:
            raise Unavailable("the fake store is down")
