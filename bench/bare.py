"""The least that Serve can do with our topology: three deployments, two coalesced calls, no work.

What stands between this and `bench.constant` is what our own code costs.
"""

from typing import Any

import numpy as np
from fastapi import FastAPI
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle
from starlette.requests import Request

from bench.constant import HITS, NoMeter
from deployments.coalescing import Coalescer

DIMENSION = 384

api = FastAPI()


@serve.deployment(name="Embedding", max_ongoing_requests=64)
class BareEmbedding:
    """Answers a list of texts with zeros, shape (n, 384)."""

    async def embed(self, texts: list[str]) -> Any:
        """Zeros, float32."""
        return np.zeros((len(texts), DIMENSION), np.float32)


@serve.deployment(name="Retrieval", max_ongoing_requests=256)
class BareRetrieval:
    """Answers a list of vectors with the same few rows for each."""

    async def search(self, vectors: list[Any]) -> list[list[tuple[int, str, float]]]:
        """Rows of (id, content, score)."""
        rows = [(number, "What an agent has learnt about a user.", 0.5) for number in range(HITS)]
        return [rows for _ in vectors]


@serve.deployment(name="Ingress", max_ongoing_requests=2048)
@serve.ingress(api)
class BareIngress:
    """FastAPI in front of two coalescers."""

    def __init__(self, embedding: DeploymentHandle[Any], retrieval: DeploymentHandle[Any]) -> None:
        self._embed = Coalescer[str, Any]("embed", embedding.embed.remote, NoMeter())
        self._search = Coalescer[Any, Any]("search", retrieval.search.remote, NoMeter())

    @api.get("/readyz")
    async def ready(self) -> dict[str, str]:
        """Say that it runs."""
        return {"status": "ready"}

    @api.post("/v1/memories/search")
    async def search(self, request: Request) -> list[Any]:
        """Both calls, one after the other."""
        body = await request.json()
        return await self._search.submit(await self._embed.submit(body["query"], 0), 0)


def build_app(arguments: object) -> Application:
    """The graph; there are no arguments."""
    return BareIngress.bind(BareEmbedding.bind(), BareRetrieval.bind())
