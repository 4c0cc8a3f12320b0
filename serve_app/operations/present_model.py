"""Which model searches and writes use now: the database says, and every process follows.

Nothing depends on how soon a process follows: a search is answered from the vectors of the model
that made the question's, and a write by another than the active model is refused, and made anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from math import inf

from serve_app.core.errors import FleetmemError
from serve_app.operations.ports import Embedder

REFRESH_SECONDS = 1.0
"""Age at which the next look begins; nobody waits for it."""

logger = logging.getLogger(__name__)


class PresentModel:
    """Implements ports.Models; `ask` gives the stored models, the active one first."""

    def __init__(
        self,
        first: str,
        ask: Callable[[], Awaitable[Sequence[str]]],
        open_embedder: Callable[[str], Embedder],
        monotonic: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._open = open_embedder
        self._monotonic = monotonic
        self._embedders = {first: open_embedder(first)}
        self._present = self._embedders[first]
        self._looked_at = -inf
        self._looking: asyncio.Task[None] | None = None

    @property
    def present(self) -> Embedder:
        """See ports.Models."""
        if self._looking is None and self._monotonic() - self._looked_at >= REFRESH_SECONDS:
            self._looking = asyncio.create_task(self._look())
        return self._present

    def find(self, model: str) -> Embedder:
        """See ports.Models."""
        if model not in self._embedders:
            self._embedders[model] = self._open(model)
        return self._embedders[model]

    async def refresh(self) -> None:
        """See ports.Models."""
        [active, *others] = await self._ask()
        self._looked_at = self._monotonic()
        self._present = self.find(active)
        # A cache of vectors that nobody asks for is dropped with its embedder.
        kept = {active, *others}
        self._embedders = {name: e for name, e in self._embedders.items() if name in kept}

    async def _look(self) -> None:
        try:
            await self.refresh()
        except FleetmemError as error:
            logger.warning("cannot ask which model is active: %s", error.code)
            self._looked_at = self._monotonic()
        finally:
            self._looking = None
