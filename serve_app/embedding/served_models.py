"""The models that one replica serves: one for good, and a second while a model is changed."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from serve_app.embedding.batcher import Batcher, open_batcher
from serve_app.settings import Settings
from serve_app.telemetry import Meter


class ServedModels:
    """Batchers by model. The settings' own is open from the start, another once it is asked for.

    All run in one thread, in turns: to fill vectors of another model costs searches no core.
    """

    def __init__(self, settings: Settings, meter: Meter) -> None:
        self._settings = settings
        self._meter = meter
        self._running = ThreadPoolExecutor(1, "onnx")
        own = settings.stored_model
        self._batchers = {own: open_batcher(settings, meter, own, self._running)}
        self._opening = asyncio.Lock()

    @property
    def in_flight(self) -> int:
        """Texts that were taken on and are not answered yet."""
        return sum(batcher.in_flight for batcher in self._batchers.values())

    async def find(self, model: str) -> Batcher:
        """The model's batcher; raises ConfigurationError, or ModelUnavailable, as opening does."""
        return self._batchers.get(model) or await self._open(model)

    async def _open(self, model: str) -> Batcher:
        async with self._opening:
            if model not in self._batchers:
                self._batchers[model] = await asyncio.to_thread(
                    open_batcher, self._settings, self._meter, model, self._running
                )
        return self._batchers[model]
