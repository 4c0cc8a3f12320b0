"""What is measured and what is logged: names in one place, content and secrets in none."""

from dataclasses import dataclass
from typing import Literal, Protocol

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: 1 ms to 10 s."""

BATCH_BUCKETS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
"""Items of one batch."""

PREFIX = "fleetmem_"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric family; `labels` are the only ones it may carry."""

    kind: Literal["counter", "gauge", "histogram"]
    description: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


INSTRUMENTS: dict[str, Instrument] = {
    "http_requests": Instrument("counter", "requests answered", ("method", "route", "status")),
    "http_requests_refused": Instrument(
        "counter", "requests turned away for overload; they are in no other family"
    ),
    "http_request_duration_seconds": Instrument(
        "histogram", "time to answer a request", ("method", "route"), LATENCY_BUCKETS
    ),
    "embedding_duration_seconds": Instrument(
        "histogram", "time of one ONNX batch", (), LATENCY_BUCKETS
    ),
    "embedding_batch_size": Instrument("histogram", "texts of one batch", (), BATCH_BUCKETS),
    "embedding_texts_in_flight": Instrument("gauge", "texts taken on and not answered yet"),
    "embedding_errors": Instrument("counter", "texts that got no vector", ("error",)),
    "rerank_duration_seconds": Instrument(
        "histogram", "time of one batch of the reranker", (), LATENCY_BUCKETS
    ),
    "searches_reranked": Instrument("counter", "searches that asked for a reranker", ("outcome",)),
    "remote_calls": Instrument(
        "counter", "calls of other replicas, direct or through Serve", ("deployment", "way")
    ),
    "embedding_cache": Instrument("counter", "look-ups of vectors", ("outcome",)),
    "embedding_shared_cache": Instrument(
        "counter", "vectors looked up in and given to the shared cache", ("outcome",)
    ),
    "keys_refused": Instrument("counter", "requests refused for their key", ("code",)),
    "memory_operations": Instrument("counter", "memories touched", ("operation",)),
    "db_pool_in_use": Instrument("gauge", "connections at work"),
    "db_pool_idle": Instrument("gauge", "connections that wait"),
    "summarizer_runs": Instrument("counter", "scopes looked at", ("outcome",)),
    "summarizer_memories_folded": Instrument("counter", "memories folded into summaries"),
    "reembed_memories_filled": Instrument(
        "counter", "memories that got vectors of the other model"
    ),
    "reembed_memories_owed": Instrument(
        "gauge", "memories without vectors of the other model; 0 while no model is changed"
    ),
    "rate_limited": Instrument("counter", "calls refused with 429", ("limit", "operation")),
    "rate_limit_store_errors": Instrument(
        "counter", "times each process began to count rate limits alone", ("error",)
    ),
    "coalesced_batch_size": Instrument(
        "histogram", "calls that left as one remote call", ("call",), BATCH_BUCKETS
    ),
}
"""Every family by the name that a Meter is given; a counter's family ends in `_total`."""


class Meter(Protocol):
    """Counts and times; never raises, never blocks. Names stand in INSTRUMENTS."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        ...

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one observation to a histogram (seconds, or items)."""
        ...

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        ...
