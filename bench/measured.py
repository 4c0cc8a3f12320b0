"""What a load brought back: moments, latencies, statuses, and what is read off them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Answer(NamedTuple):
    """One answer: due seconds after the start, latency in seconds, status (0: none came)."""

    due: float
    latency: float
    status: int


@dataclass(frozen=True)
class Measured:
    """The answers of a load of `seconds`: arrays of one length, in the order of their arrival.

    `due` and `latencies` are seconds; `statuses` int; `lost` requests got no answer at all.
    """

    due: Floats
    latencies: Floats
    statuses: NDArray[np.int64]
    seconds: float
    lost: int

    @classmethod
    def of(cls, answers: Sequence[Answer], seconds: float, lost: int) -> Self:
        """From the answers as they came."""
        columns = np.array(answers, np.float64).reshape(-1, 3)
        statuses = columns[:, 2].astype(np.int64)
        return cls(columns[:, 0], columns[:, 1], statuses, seconds, lost)

    @property
    def count(self) -> int:
        """Requests that were answered, whatever the answer."""
        return len(self.due)

    @property
    def succeeded(self) -> NDArray[np.bool_]:
        """Which answers are 2xx."""
        return (self.statuses >= 200) & (self.statuses < 300)

    @property
    def rate(self) -> float:
        """2xx answers per second that came before the end."""
        in_time = self.due + self.latencies <= self.seconds
        return float((self.succeeded & in_time).sum() / self.seconds)

    @property
    def errors(self) -> int:
        """Requests without a 2xx."""
        return int(self.count - self.succeeded.sum() + self.lost)

    def milliseconds(self, percentile: float, accepted_only: bool = True) -> float:
        """A percentile of the latencies; NaN where there is none."""
        chosen = self.latencies[self.succeeded] if accepted_only else self.latencies
        return float(1000 * np.percentile(chosen, percentile)) if len(chosen) else float("nan")

    def describe(self) -> dict[str, Any]:
        """Rate, percentiles (2xx only), statuses and errors as JSON holds them."""
        names = {"p50_ms": 50, "p90_ms": 90, "p99_ms": 99, "max_ms": 100}
        return {
            "requests_per_second": round(self.rate, 1),
            **{name: round(self.milliseconds(value), 2) for name, value in names.items()},
            "requests": self.count,
            "errors": self.errors,
            "statuses": {str(k): v for k, v in Counter(self.statuses.tolist()).items()},
        }
