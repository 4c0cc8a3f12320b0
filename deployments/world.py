"""The ports of a replica, over handles to the other deployments."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.direct_handle import DirectHandle, Handle
from deployments.handles import (
    RemoteEmbedder,
    RemoteKeys,
    RemoteLimits,
    RemoteMemories,
    ask_models,
)
from deployments.once_handle import RemoteOnce
from deployments.ranking_handle import RemoteRankingDefaults
from deployments.remote_reranker import RemoteReranker
from serve_app.core.errors import ConfigurationError
from serve_app.core.identity import uuid7
from serve_app.embedding.cache import CachedEmbedder
from serve_app.embedding.registry import find_model
from serve_app.embedding.shared_cache import SharedCache
from serve_app.embedding.sharing import SharingEmbedder
from serve_app.language.dates import QuestionDates
from serve_app.operations.default_book import DefaultBook
from serve_app.operations.key_ring import KeyRing
from serve_app.operations.limit import Limiter
from serve_app.operations.limit_rules import RuleBook
from serve_app.operations.ports import Embedder, Ports, TokenStore
from serve_app.operations.present_model import PresentModel
from serve_app.operations.registry import Registry
from serve_app.operations.service import Service
from serve_app.settings import Settings
from serve_app.telemetry import Meter


def open_ports(
    embedding: DeploymentHandle[Any],
    retrieval: DeploymentHandle[Any],
    settings: Settings,
    meter: Meter,
) -> Ports:
    """Everything the verbs need, with the wall clock and random ids."""
    timeout = settings.request_timeout_seconds
    embedder = DirectHandle(embedding, "Embedding", meter)

    def open_embedder(model: str) -> Embedder:
        remote = RemoteEmbedder(embedder, model, meter, timeout)
        shared = share_vectors(remote, settings, meter)
        return CachedEmbedder(shared, settings.embedding_cache_size, meter)

    return Ports(
        memories=RemoteMemories(DirectHandle(retrieval, "Retrieval", meter), meter, timeout),
        once=RemoteOnce(retrieval, timeout),
        models=PresentModel(
            settings.stored_model,
            lambda: ask_models(retrieval, timeout),
            open_embedder,
            time.monotonic,
        ),
        limits=RemoteLimits(retrieval, meter),
        meter=meter,
        clock=_now,
        new_id=lambda: uuid7(_now(), os.urandom(10)),
        calendar=QuestionDates(),
        reranker=open_reranker(embedder, settings, meter),
    )


def open_reranker(embedding: Handle, settings: Settings, meter: Meter) -> RemoteReranker | None:
    """The reranker of the Embedding deployment; None where the settings name none."""
    if not settings.reranker_model:
        return None
    seconds = settings.rerank_deadline_seconds
    return RemoteReranker(embedding, meter, settings.rerank_candidates, seconds)


def share_vectors(embedder: Embedder, settings: Settings, meter: Meter) -> Embedder:
    """The embedder behind the cache that replicas share; itself where no such cache is named.

    Raises ConfigurationError.
    """
    url = settings.embedding_cache_url
    if url is None or not url.get_secret_value():
        return embedder
    with _naming_setting("embedding_cache_url"):
        from serve_app.storage.redis_vectors import RedisVectors

        store = RedisVectors(url.get_secret_value(), settings.embedding_cache_seconds)
    dimension = find_model(embedder.model).dimension
    return SharingEmbedder(embedder, SharedCache(store, dimension, meter, time.monotonic))


def open_service(
    embedding: DeploymentHandle[Any],
    retrieval: DeploymentHandle[Any],
    settings: Settings,
    meter: Meter,
) -> Service:
    """Every verb, for callers whose keys Retrieval knows."""
    keys = RemoteKeys(retrieval, settings.request_timeout_seconds)
    return Service(
        open_ports(embedding, retrieval, settings, meter),
        Registry(keys, _now, os.urandom),
        KeyRing(keys, _now, time.monotonic, settings.open_allowed),
        DefaultBook(RemoteRankingDefaults(retrieval), time.monotonic),
        open_limiter(retrieval, settings, meter),
    )


def open_limiter(retrieval: DeploymentHandle[Any], settings: Settings, meter: Meter) -> Limiter:
    """The limits that all ingress replicas share, through Postgres or a Redis."""
    limits = RemoteLimits(retrieval, meter)
    rules = RuleBook(settings.limit_rules, limits, time.monotonic)
    return Limiter(rules, _open_tokens(settings) or limits, meter, time.monotonic)


def _open_tokens(settings: Settings) -> TokenStore | None:
    """The Redis of the settings, if there is one."""
    if settings.rate_limit_redis_url is None:
        return None
    with _naming_setting("rate_limit_redis_url"):
        from serve_app.storage.redis_tokens import RedisTokens

        return RedisTokens(settings.rate_limit_redis_url.get_secret_value())


@contextmanager
def _naming_setting(setting: str) -> Generator[None]:
    """Raise ConfigurationError where the setting asks for what cannot be opened."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{setting} needs a package: pip install 'fleetmem[redis]'"
        ) from error
    except ValueError:
        # The cause is left out, for it may quote the password.
        raise ConfigurationError(
            f"{setting} must begin with redis://, rediss:// or unix://"
        ) from None


def _now() -> datetime:
    return datetime.now(UTC)
