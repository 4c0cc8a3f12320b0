"""Metrics in Prometheus's words: kept in this process, or gathered from every node of Ray.

Text format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from serve_app.telemetry import INSTRUMENTS, PREFIX, Instrument

logger = logging.getLogger(__name__)

RAY_PREFIX = "ray_"
OUR_LINES = tuple(start + RAY_PREFIX + PREFIX for start in ("", "# HELP ", "# TYPE "))
"""How our lines begin in a scrape of Ray, which has thousands of its own."""

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
"""What the samples of a family are called after its name."""

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and its labels: one series of one family."""


class PrometheusMeter:
    """A Meter and a MetricsSource of one process, with a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._families = {name: self._register(name, INSTRUMENTS[name]) for name in INSTRUMENTS}

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        series = self._find(name, labels)
        if isinstance(series, Counter):
            series.inc(amount)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one observation to a histogram."""
        series = self._find(name, labels)
        if isinstance(series, Histogram):
            series.observe(value)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        series = self._find(name, labels)
        if isinstance(series, Gauge):
            series.set(value)

    async def exposition(self) -> str:
        """Every family of this process."""
        return generate_latest(self._registry).decode()

    def _register(self, name: str, instrument: Instrument) -> Counter | Gauge | Histogram:
        full_name, labels = PREFIX + name, instrument.labels
        if instrument.kind == "counter":
            return Counter(full_name, instrument.description, labels, registry=self._registry)
        if instrument.kind == "gauge":
            return Gauge(full_name, instrument.description, labels, registry=self._registry)
        return Histogram(
            full_name,
            instrument.description,
            labels,
            registry=self._registry,
            buckets=instrument.buckets,
        )

    def _find(self, name: str, labels: dict[str, str]) -> Counter | Gauge | Histogram | None:
        """The series; None and a line in the log for what telemetry.py does not list."""
        family = self._families.get(name)
        if family is None or set(labels) != set(INSTRUMENTS[name].labels):
            logger.error("telemetry.py lists no metric %s with labels %s", name, sorted(labels))
            return None
        return family.labels(**labels) if labels else family


def aggregate(expositions: Iterable[str]) -> str:
    """One text of our families, summed over the replicas of all nodes; `ray_` is taken off.

    Each text is what one node of Ray exports. Samples are told apart by our own labels alone.
    A replica that is gone takes its counts along: rates then see a reset.
    """
    sums: defaultdict[Key, float] = defaultdict(float)
    for exposition in expositions:
        for key, value in _read_samples(exposition):
            sums[key] += value
    return generate_latest(_Collected(sums)).decode()


def _read_samples(exposition: str) -> Iterator[tuple[Key, float]]:
    """The samples that are ours, under their names and labels without Ray's."""
    lines = [line for line in exposition.splitlines() if line.startswith(OUR_LINES)]
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            name = sample.name.removeprefix(RAY_PREFIX)
            if name in SAMPLE_LABELS:
                labels = tuple(
                    (label, sample.labels.get(label, "")) for label in SAMPLE_LABELS[name]
                )
                yield (name, labels), sample.value


def _label_samples() -> dict[str, tuple[str, ...]]:
    """The labels that are kept, by the full name of a sample."""
    labels: dict[str, tuple[str, ...]] = {}
    for name, instrument in INSTRUMENTS.items():
        for suffix in SUFFIXES[instrument.kind]:
            bound = ("le",) if suffix == "_bucket" else ()
            labels[PREFIX + name + suffix] = instrument.labels + bound
    return labels


SAMPLE_LABELS = _label_samples()


class _Collected(Collector):
    """Sums in the shape that prometheus_client writes out."""

    def __init__(self, sums: dict[Key, float]) -> None:
        self._sums = sums

    def collect(self) -> Iterator[Metric]:
        """Every family of ours, also one without samples, series in order."""
        ordered = sorted(self._sums, key=_order)
        for name, instrument in INSTRUMENTS.items():
            names = {PREFIX + name + suffix for suffix in SUFFIXES[instrument.kind]}
            family = Metric(PREFIX + name, instrument.description, instrument.kind)
            family.samples = [
                Sample(key[0], dict(key[1]), self._sums[key]) for key in ordered if key[0] in names
            ]
            yield family


def _order(key: Key) -> tuple[list[tuple[str, str]], str, float]:
    """Series by their labels; the buckets of one by their bounds, before its count and sum."""
    name, labels = key
    bound = float(dict(labels).get("le", "inf"))
    return [pair for pair in labels if pair[0] != "le"], name, bound
