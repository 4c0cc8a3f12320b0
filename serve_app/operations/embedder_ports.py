"""The ports of whatever runs a model; a part of ports.py."""

from collections.abc import Sequence
from typing import Protocol

from serve_app.core.errors import FleetmemError
from serve_app.core.memory import Chunk, Vector
from serve_app.core.reranking import RerankQuestion


class Embedder(Protocol):
    """Turns text into unit vectors; raises EmbeddingUnavailable, never invents one.

    Where calls wait, tenants take turns: `tenant_id` is the asker's, 0 our own maintenance's.
    """

    @property
    def model(self) -> str:
        """The name that is stored beside every vector."""
        ...

    async def embed_query(self, text: str, tenant_id: int = 0) -> Vector:
        """The vector of a question, shape (dimension,), float32, cut at what the model reads."""
        ...

    async def embed_documents(
        self, texts: Sequence[str], tenant_id: int = 0
    ) -> list[tuple[Chunk, ...] | FleetmemError]:
        """The chunks of each text in order, at least one each; one text's failure is its own."""
        ...

    async def check_health(self) -> None:
        """Return when the model answers; raise Unavailable otherwise."""
        ...


class Models(Protocol):
    """The embedders of the models that vectors are stored of."""

    @property
    def present(self) -> Embedder:
        """That of the active model, as far as is known: hold on to it for the whole of a call."""
        ...

    def find(self, model: str) -> Embedder:
        """That of a model."""
        ...

    async def refresh(self) -> None:
        """Learn which model is the active one; raises Unavailable."""
        ...


class Reranker(Protocol):
    """Reads a question and texts together: `candidates` of one search, within `seconds`."""

    candidates: int
    seconds: float

    async def score(self, question: RerankQuestion, tenant_id: int = 0) -> list[float]:
        """A finite score of each text in order, higher is better; raises Unavailable."""
        ...
