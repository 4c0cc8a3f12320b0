"""Whether one profile is truly better than another, or only on these questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serve_app.evaluation.extras import load_library

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of (one - other) over the same `n` questions; `low` and `high` hold 95 % of it."""

    mean: float
    low: float
    high: float
    n: int


def bootstrap_difference(one: Sequence[float], other: Sequence[float], seed: int = 0) -> Difference:
    """The paired bootstrap: questions are drawn anew, and each brings both of its values.

    Percentile intervals (Efron and Tibshirani 1993); at least two questions; the same seed gives
    the same interval.
    """
    differences = np.subtract(one, other)
    drawn = load_library("scipy.stats").bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=500,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = drawn.confidence_interval
    return Difference(float(differences.mean()), float(low), float(high), len(differences))
