"""The Embedding deployment as the product scales it, and the probe that drives it."""

from typing import Any

from ray.serve import Application

from bench.embedding_probe import Probe
from deployments.embedding import Embedding


def build_app(arguments: object) -> Application:
    """As many replicas as the product would have; there are no arguments."""
    embedding: Any = Embedding
    return Probe.bind(embedding.bind(None))
