"""Embedding: an autoscaled deployment that batches ONNX inference by its tokens."""

from ray import serve

from deployments.metrics import RayMeter
from deployments.wire import pack, unpack
from serve_app.embedding.batcher import open_batcher
from serve_app.settings import load_settings


@serve.deployment(
    name="Embedding",
    max_ongoing_requests=64,
    autoscaling_config={
        "min_replicas": 1,
        "max_replicas": 2,
        "target_ongoing_requests": 2,
        "metrics_interval_s": 2,
        "look_back_period_s": 5,
        "upscale_delay_s": 5,
        "downscale_delay_s": 120,
    },
    ray_actor_options={"num_cpus": 0.5, "memory": 300 * 2**20},
    graceful_shutdown_timeout_s=5,
    health_check_period_s=5,
)
class Embedding:
    """Ready once the model is loaded, verified and warm."""

    def __init__(self, config: str | None) -> None:
        self._batcher = open_batcher(load_settings(config), RayMeter())

    async def embed_queries(self, packed: bytes) -> bytes:
        """Texts, answered with a unit vector for each, in order, or its own error."""
        texts: list[str] = unpack(packed)
        return pack(await self._batcher.embed_queries(texts))

    async def embed_documents(self, packed: bytes) -> bytes:
        """Texts, answered with the chunks of each, in order, or its own error."""
        texts: list[str] = unpack(packed)
        return pack(await self._batcher.embed_documents(texts))

    async def check_model(self) -> None:
        """Return when the model answers."""
        await self._batcher.check_health()
