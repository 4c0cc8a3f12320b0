"""A meter that remembers, and refuses what telemetry.py does not declare."""

from collections import Counter, defaultdict

from serve_app.telemetry import INSTRUMENTS

Series = tuple[str, tuple[tuple[str, str], ...]]


class RecordingMeter:
    """Implements ports.Meter; unlike a real one it raises, so that a test sees a wrong name."""

    def __init__(self) -> None:
        self.counts: Counter[Series] = Counter()
        self.observations: dict[Series, list[float]] = defaultdict(list)
        self.gauges: dict[Series, float] = {}

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        self.counts[_series("counter", name, labels)] += amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.observations[_series("histogram", name, labels)].append(value)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self.gauges[_series("gauge", name, labels)] = value

    def total(self, name: str, **labels: str) -> float:
        """What a counter stands at; 0 when it was never touched."""
        return self.counts[_series("counter", name, labels)]


def _series(kind: str, name: str, labels: dict[str, str]) -> Series:
    instrument = INSTRUMENTS[name]
    assert instrument.kind == kind, f"{name} is a {instrument.kind}"
    assert set(labels) == set(instrument.labels), f"{name} carries {instrument.labels}"
    return name, tuple(sorted(labels.items()))
