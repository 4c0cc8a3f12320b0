import asyncio
from collections import Counter
from typing import Any

import pytest

from deployments import metrics
from deployments.metrics import RayMeter


class Family:
    """What Ray is told of one family."""

    def __init__(self) -> None:
        self.told: Counter[tuple[tuple[str, str], ...]] = Counter()
        self.calls = 0

    def inc(self, amount: float, tags: dict[str, str]) -> None:
        self.calls += 1
        self.told[tuple(tags.items())] += int(amount)


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    families: dict[str, Any] = {"requests": Family(), "errors": Family()}
    monkeypatch.setattr(metrics, "_family", families.__getitem__)
    monkeypatch.setattr(metrics, "FLUSH_SECONDS", 0)
    return families


async def pass_on() -> None:
    """Let timers that are due run."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_counts_are_told_together(families: dict[str, Any]) -> None:
    meter = RayMeter()
    for _ in range(3):
        meter.count("requests", status="200")
    meter.count("requests", 2, status="500")
    meter.count("errors")
    await pass_on()
    assert families["requests"].told == {(("status", "200"),): 3, (("status", "500"),): 2}
    assert families["requests"].calls == 2
    assert families["errors"].told == {(): 1}


async def test_later_counts_are_told_later(families: dict[str, Any]) -> None:
    meter = RayMeter()
    meter.count("errors")
    await pass_on()
    meter.count("errors")
    meter.count("errors", 0)
    await pass_on()
    assert families["errors"].told == {(): 2}
    assert families["errors"].calls == 2
