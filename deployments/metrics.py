"""Ray's metrics behind our Meter, and the sum of what all nodes export."""

import asyncio
from collections import defaultdict
from typing import Any

import httpx
import ray
from ray.util.metrics import Counter, Gauge, Histogram

from serve_app.metering import aggregate
from serve_app.telemetry import INSTRUMENTS, PREFIX, Instrument

_FAMILIES: dict[str, Any] = {}


FLUSH_SECONDS = 1.0
"""How long counts are gathered: handing each one to Ray costs more than most of what is counted."""

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A family's name and the labels of one of its counters."""


class RayMeter:
    """ports.Meter whose numbers leave through the node's metrics agent."""

    def __init__(self) -> None:
        self._counts: defaultdict[Series, float] = defaultdict(float)

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """See ports.Meter; to be called on an event loop."""
        if amount > 0:
            if not self._counts:
                asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)
            self._counts[name, tuple(labels.items())] += amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        """See ports.Meter."""
        _family(name).observe(value, tags=labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """See ports.Meter."""
        _family(name).set(value, tags=labels)

    def _flush(self) -> None:
        for (name, labels), amount in self._counts.items():
            _family(name).inc(amount, tags=dict(labels))
        self._counts.clear()


def _family(name: str) -> Any:
    """The one family of this name in this process."""
    if name not in _FAMILIES:
        _FAMILIES[name] = _declare(PREFIX + name, INSTRUMENTS[name])
    return _FAMILIES[name]


def _declare(name: str, instrument: Instrument) -> Any:
    if instrument.kind == "histogram":
        return Histogram(name, instrument.description, list(instrument.buckets), instrument.labels)
    family = Counter if instrument.kind == "counter" else Gauge
    return family(name, instrument.description, instrument.labels)


class ClusterMetrics:
    """The application's families, summed over every replica of every node."""

    async def exposition(self) -> str:
        """Prometheus text; a node that does not answer within two seconds is left out."""
        nodes = await asyncio.to_thread(ray.nodes)
        async with httpx.AsyncClient(timeout=2.0) as client:
            texts = await asyncio.gather(
                *(_scrape(client, node) for node in nodes if node["Alive"])
            )
        return await asyncio.to_thread(aggregate, texts)


async def _scrape(client: httpx.AsyncClient, node: dict[str, Any]) -> str:
    try:
        address = f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"
        response = await client.get(f"http://{address}/metrics")
        return response.text
    except httpx.HTTPError:
        return ""
