"""Our application with constants for its engines: the whole path, but no ONNX and no SQL.

Ingress, handles, coalescing, wire and ranking are the product's own, and so are the options of
every deployment but for scaling. Tokenising and asyncpg are left out with the engines that they
belong to.
"""

# What Serve's decorator returns has no type, and so has the class in it.
# pyright: reportGeneralTypeIssues=false, reportUntypedBaseClass=false

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from ray import serve
from ray.serve import Application

from deployments.embedding import Embedding
from deployments.ingress import Ingress
from deployments.retrieval import Retrieval
from deployments.schedule import Schedule
from serve_app.core.errors import Unavailable
from serve_app.core.keys import KeysFound
from serve_app.core.memory import EmbeddedMemory, Memory, Vector
from serve_app.settings import load_settings
from serve_app.storage.rows import FoundRow, PlainSearch

DIMENSION, HITS = 384, 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class NoMeter:
    """ports.Meter that forgets."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Do nothing."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Do nothing."""

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Do nothing."""


class ConstantBatcher:
    """Answers as a Batcher does, with one vector for all."""

    def __init__(self) -> None:
        self._vector: Vector = np.full(DIMENSION, DIMENSION**-0.5, np.float32)

    async def embed_queries(self, texts: Sequence[str]) -> list[Vector]:
        """The one vector for each text."""
        return [self._vector for _ in texts]

    async def check_health(self) -> None:
        """Be well."""


class ConstantModels:
    """Answers as ServedModels does: one batcher, whatever the model."""

    in_flight = 0

    def __init__(self) -> None:
        self._batcher = ConstantBatcher()

    async def find(self, model: str) -> ConstantBatcher:
        """The one batcher."""
        return self._batcher


class ConstantMemories:
    """Answers as storage does, with the same rows for all."""

    def __init__(self) -> None:
        self._rows = [_remember(number) for number in range(HITS)]

    async def search_rows(self, searches: Sequence[PlainSearch]) -> list[list[FoundRow]]:
        """The same rows for each search."""
        return [self._rows for _ in searches]

    async def add(self, memories: Sequence[EmbeddedMemory]) -> list[Memory | Unavailable]:
        """Refuse: only searches are measured here."""
        return [Unavailable("nothing is stored here") for _ in memories]

    async def check_health(self) -> None:
        """Be well."""


class ConstantEmbedding(Embedding.func_or_class):
    """The product's deployment over a ConstantBatcher."""

    def __init__(self, config: str | None) -> None:
        self._meter = NoMeter()
        self._models = ConstantModels()
        self._reranker = None


class ConstantKeys:
    """Answers as stored keys do where none was ever made: everybody may come in."""

    async def find(self, key_ids: Sequence[str]) -> KeysFound:
        """No key."""
        return KeysFound(0, False, {})


class ConstantDefaults:
    """Answers as stored defaults do where nobody chose one."""

    async def profiles(self) -> dict[tuple[int, str], str]:
        """None."""
        return {}


class ConstantRetrieval(Retrieval.func_or_class):
    """The product's deployment over ConstantMemories, without a database."""

    async def __init__(self, config: str | None) -> None:
        self._model = load_settings(config).stored_model
        self.keys = ConstantKeys()
        self.defaults = ConstantDefaults()
        self._memories = ConstantMemories()
        self._meter = NoMeter()
        self._schedule = Schedule()

    async def stored_models(self) -> tuple[str, ...]:
        """The settings' own."""
        return (self._model,)

    async def limit_overrides(self) -> dict[int, dict[str, str]]:
        """No tenant has its own."""
        return {}


@serve.deployment(name="Maintenance", ray_actor_options={"num_cpus": 0.1})
class NoMaintenance:
    """Stands where Maintenance stands, and rests."""


def build_app(arguments: object) -> Application:
    """The product's graph with constant engines, one replica each; there are no arguments."""
    one: dict[str, Any] = {"autoscaling_config": None, "num_replicas": 1}
    embedding: Any = Embedding.options(func_or_class=ConstantEmbedding, **one)
    retrieval: Any = Retrieval.options(func_or_class=ConstantRetrieval, **one)
    bound = embedding.bind(None), retrieval.bind(None)
    return Ingress.bind(None, *bound, NoMaintenance.bind())


def _remember(number: int) -> FoundRow:
    content = "What an agent has learnt about a user, in a sentence."
    id_, times = (number + 1).to_bytes(16), (NOW, NOW, NOW)
    return 1, 0.5, 0, len(content), id_, content, "episodic", 0.5, *times, "active", (), None, 1, ""
