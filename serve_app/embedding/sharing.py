"""Asks a cache that all replicas share before it asks the model."""

import hashlib
from collections.abc import Sequence

from serve_app.core.errors import FleetmemError
from serve_app.core.memory import Chunk, Vector
from serve_app.embedding.cache import SURELY_READ_BYTES, Chunks, encode_text
from serve_app.embedding.shared_cache import SharedCache
from serve_app.operations.ports import Embedder

BULK_TEXTS = 64
"""Longer lists of documents pass by: an import must not drive out what is often asked."""


class SharingEmbedder:
    """An Embedder whose vectors other replicas may have made; only documents of one chunk are kept.

    Stands behind CachedEmbedder, which makes concurrent callers of one text one.
    """

    def __init__(self, embedder: Embedder, cache: SharedCache) -> None:
        self._embedder = embedder
        self._cache = cache

    @property
    def model(self) -> str:
        """The name that is stored beside every vector."""
        return self._embedder.model

    async def embed_query(self, text: str, tenant_id: int = 0) -> Vector:
        """The vector of a question, found or made."""
        content = encode_text(text)
        name = self._name(content, is_whole=len(content) <= SURELY_READ_BYTES)
        found = await self._cache.find([name])
        if name in found:
            return found[name]
        vector = await self._embedder.embed_query(text, tenant_id)
        self._cache.keep({name: vector})
        return vector

    async def embed_documents(
        self, texts: Sequence[str], tenant_id: int = 0
    ) -> list[Chunks | FleetmemError]:
        """The chunks of each text, found or made."""
        if len(texts) > BULK_TEXTS:
            return await self._embedder.embed_documents(texts, tenant_id)
        names = [self._name(encode_text(text), is_whole=True) for text in texts]
        found = await self._cache.find(names)
        missing = {name: text for name, text in zip(names, texts, strict=True) if name not in found}
        made: dict[str, Chunks | FleetmemError] = {}
        if missing:
            outcomes = await self._embedder.embed_documents(list(missing.values()), tenant_id)
            made = dict(zip(missing, outcomes, strict=True))
            self._cache.keep(_select_whole(made))
        return [
            made[name] if name in made else (Chunk(0, len(text), found[name]),)
            for name, text in zip(names, texts, strict=True)
        ]

    async def check_health(self) -> None:
        """Ask the embedder itself."""
        await self._embedder.check_health()

    def _name(self, content: bytes, is_whole: bool) -> str:
        """The vector of a long question may be of its beginning only: no document has that name."""
        part = "whole" if is_whole else "start"
        return f"{self.model}:{part}:{hashlib.sha256(content).hexdigest()}"


def _select_whole(made: dict[str, Chunks | FleetmemError]) -> dict[str, Vector]:
    """The vectors of the documents that are one chunk."""
    return {
        name: outcome[0].vector
        for name, outcome in made.items()
        if not isinstance(outcome, FleetmemError) and len(outcome) == 1
    }
