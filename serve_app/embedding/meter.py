"""What embedding needs in order to be measured; `operations.ports.Meter` satisfies it."""

from typing import Protocol


class Meter(Protocol):
    """Counts and times; names stand in telemetry.py."""

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        ...

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one observation to a histogram."""
        ...
