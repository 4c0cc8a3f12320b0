"""Embedding: an autoscaled deployment that batches ONNX inference by its tokens."""

import os

from ray import serve

from deployments.direct_server import DirectMethods
from deployments.metrics import RayMeter
from deployments.scaling import EMBEDDING_SCALING, TEXTS_IN_FLIGHT
from deployments.wire import pack, unpack
from serve_app.core.errors import Unavailable
from serve_app.embedding.reranking import open_reranker
from serve_app.embedding.served_models import ServedModels
from serve_app.settings import load_settings

NICENESS = 5
"""Inference takes whatever core is free; what is short (HTTP, SQL) goes first on a shared one."""


@serve.deployment(
    name="Embedding",
    max_ongoing_requests=64,
    autoscaling_config=EMBEDDING_SCALING,
    ray_actor_options={"num_cpus": 0.5, "memory": 450 * 2**20},
    graceful_shutdown_timeout_s=5,
    health_check_period_s=5,
)
class Embedding(DirectMethods):
    """Ready once the model is loaded, verified and warm; others are loaded when they are asked."""

    direct_methods = ("embed_queries", "embed_documents", "rerank")

    def __init__(self, config: str | None) -> None:
        os.nice(NICENESS)
        self._meter = RayMeter()
        settings = load_settings(config)
        self._models = ServedModels(settings, self._meter)
        self._reranker = open_reranker(settings, self._meter)

    async def embed_queries(self, packed: bytes, model: str) -> bytes:
        """Texts, answered with a unit vector for each, in order, or its own error."""
        texts: list[str] = unpack(packed)
        return pack(await (await self._models.find(model)).embed_queries(texts))

    async def embed_documents(self, packed: bytes, model: str) -> bytes:
        """Texts, answered with the chunks of each, in order, or its own error."""
        texts: list[str] = unpack(packed)
        return pack(await (await self._models.find(model)).embed_documents(texts))

    async def rerank(self, packed: bytes) -> bytes:
        """Questions with their texts, answered with the scores of each, or its own error."""
        if self._reranker is None:
            raise Unavailable("this replica has no reranker")
        return pack(await self._reranker.score_all(unpack(packed)))

    async def check_model(self, model: str) -> None:
        """Return when the model answers."""
        await (await self._models.find(model)).check_health()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve's question, once in a second or two: how much work is here."""
        in_flight = self._models.in_flight
        self._meter.gauge("embedding_texts_in_flight", in_flight)
        pairs = self._reranker.in_flight if self._reranker else 0
        return {TEXTS_IN_FLIGHT: in_flight + pairs}
