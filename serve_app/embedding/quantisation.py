"""How numbers become eight bits: matrices by output channel, their inputs smoothed beforehand.

SmoothQuant: Xiao et al. 2022, arXiv:2211.10438. The shift: Wei et al. 2023, arXiv:2304.09145.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LARGEST = 127
PAIR_LARGEST = 128
"""What two weights of neighbouring inputs may sum to. 255 times it fits 16 bits: processors without
VNNI add pairs of products in 16 bits, and would cut a larger sum without a word."""

ALPHA = 0.65
"""The share of the difficulty that smoothing moves from inputs into weights."""

SMALLEST = 1e-4


@dataclass(frozen=True, slots=True)
class Smoothing:
    """A channel x enters its product as (x - shift) / factor; both are (channels,), float32."""

    factor: Floats
    shift: Floats

    def apply(self, rows: Floats) -> Floats:
        """Rows as they enter the product, (n, channels)."""
        return ((rows - self.shift) / self.factor).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Integers:
    """A matrix in eight bits, (inputs, outputs), and the scale of each output, (outputs,).

    `drift`, (outputs,), is what its rounding takes from a product on average.
    """

    values: NDArray[np.int8]
    scale: Floats
    drift: Floats


Seen = Mapping[str, Floats]
"""Rows of inputs, (tokens, channels), by the name of the matrix that reads them."""


def quantise_columns(matrix: Floats, rows: Floats) -> Integers:
    """The nearest integers, and their drift over `rows`, (n, inputs). The number of inputs is even.

    Bias correction: Nagel et al. 2019, arXiv:1906.04721.
    """
    pairs = np.abs(matrix[0::2] + matrix[1::2]).max(axis=0)
    scale = np.maximum(np.abs(matrix).max(axis=0) / LARGEST, pairs / (PAIR_LARGEST - 1))
    scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
    values = np.rint(matrix / scale).astype(np.int8)
    # In steps, as smoothing is.
    mean = np.rint(rows.mean(axis=0) * 256) / 256
    return Integers(values, scale, (mean @ (matrix - values * scale)).astype(np.float32))


def derive_step(rows: Floats) -> float:
    """The step of a scale that holds smoothed rows."""
    return float(np.ceil(np.abs(rows).max() * 16) / 16 / LARGEST)


def derive_smoothing(rows: Floats, matrix: Floats) -> Smoothing:
    """What evens out the channels that enter `matrix`, (channels, outputs)."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    shift = (low + high) / 2
    reach = np.maximum((high - low) / 2, SMALLEST)
    weight = np.maximum(np.abs(matrix).max(axis=1), SMALLEST)
    factor = reach**ALPHA / weight ** (1 - ALPHA)
    factor /= np.exp(np.log(factor).mean())
    # In steps, so that the last bits of a calibration do not make another model of it.
    steps = np.exp2(np.rint(np.log2(factor) * 8) / 8)
    shift = (np.rint(shift * 32) / 32).astype(np.float32)
    return Smoothing(steps.astype(np.float32), shift)


def leave_alone(channels: int) -> Smoothing:
    """The smoothing that changes nothing."""
    return Smoothing(np.ones(channels, np.float32), np.zeros(channels, np.float32))
