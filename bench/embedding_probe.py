"""The Embedding deployment alone, and a deployment beside it that drives it through its handle."""

import time
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle

from bench.constant import NoMeter
from deployments.direct_handle import DirectHandle
from deployments.embedding import Embedding
from deployments.handles import RemoteEmbedder
from serve_app.core.errors import FleetmemError
from serve_app.settings import load_settings

TIMEOUT_SECONDS = 300.0

api = FastAPI()


class Texts(BaseModel):
    """What is to be embedded, as documents."""

    texts: list[str]


# Above the class: Serve pickles it, with what it uses, as it is decorated.
def count_chunks(outcomes: Sequence[Any]) -> int:
    """How many vectors there are; raises the first error among the outcomes."""
    for outcome in outcomes:
        if isinstance(outcome, FleetmemError):
            raise outcome
    return sum(map(len, outcomes))


def open_embedder(embedding: DeploymentHandle[Any]) -> RemoteEmbedder:
    """As the product's ingress has it, but for caches and metrics."""
    meter = NoMeter()
    handle = DirectHandle(embedding, "Embedding", meter)
    return RemoteEmbedder(handle, load_settings(None).stored_model, meter, TIMEOUT_SECONDS)


@serve.deployment(name="Ingress", max_ongoing_requests=4)
@serve.ingress(api)
class Probe:
    """Sends lists as the product's ingress does: in parts, a bounded number of them at a time."""

    def __init__(self, embedding: DeploymentHandle[Any]) -> None:
        self._embedder = open_embedder(embedding)

    @api.post("/measure")
    async def measure(self, body: Texts) -> dict[str, float]:
        """Seconds and chunks of one pass over the texts; fails where a text has no vector."""
        started = time.perf_counter()
        outcomes = await self._embedder.embed_documents(body.texts)
        return {"seconds": time.perf_counter() - started, "chunks": count_chunks(outcomes)}


def build_app(arguments: object) -> Application:
    """One Embedding replica behind the probe; there are no arguments."""
    embedding: Any = Embedding.options(autoscaling_config=None, num_replicas=1)
    return Probe.bind(embedding.bind(None))
