"""Which fixed shapes a GPU runs, and how a batch is laid into them: pure decisions.

A CUDA graph replays kernels of one shape, so every batch is padded up to one of a few shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256)
"""Tokens of a row; a model that reads more has a last length of its own limit."""

BATCHES = (1, 4, 16, 64, 256)
"""Rows."""

LARGEST = 16_384
"""Padded tokens above which a shape saturates a GPU already, so that none is captured."""

LAUNCH = 512
"""Padded tokens in whose time a graph is launched: an estimate, for no GPU was at hand."""


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """A shape: `batch` rows of `length` tokens."""

    batch: int
    length: int

    @property
    def tokens(self) -> int:
        """Padded tokens."""
        return self.batch * self.length


@dataclass(frozen=True, slots=True)
class Filling:
    """The texts, by index, that run together in a bucket; rows that are left over are padding."""

    bucket: Bucket
    texts: tuple[int, ...]


def list_buckets(max_tokens: int) -> tuple[Bucket, ...]:
    """Every shape for a model that reads `max_tokens`, the smallest first."""
    lengths = sorted({length for length in LENGTHS if length < max_tokens} | {max_tokens})
    every = (Bucket(batch, length) for length in lengths for batch in BATCHES)
    return tuple(sorted(bucket for bucket in every if bucket.tokens <= LARGEST))


def choose_bucket(buckets: Sequence[Bucket], rows: int, longest: int) -> Bucket | None:
    """The cheapest shape that holds so many rows of at most `longest` tokens, or None."""
    fitting = [b for b in buckets if b.batch >= rows and b.length >= longest]
    return min(fitting, key=lambda bucket: bucket.tokens, default=None)


def fill_buckets(lengths: Sequence[int], buckets: Sequence[Bucket]) -> list[Filling]:
    """Lay texts of these token counts into shapes, at the least padded tokens and launches.

    Each text is in one filling. Of n sorted texts the longest ones fill the last shape, so the
    best plan for n is that shape after the best plan for the rest: n times 5 steps.
    Raises ValueError when a text is longer than every shape.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    shapes = {length: _narrowest(buckets, length) for length in set(lengths)}
    costs, choices = [0], [Bucket(0, 0)]
    for count in range(1, len(order) + 1):
        options = shapes[lengths[order[count - 1]]]
        best = min(options, key=lambda b: costs[max(0, count - b.batch)] + b.tokens)
        costs.append(costs[max(0, count - best.batch)] + best.tokens + LAUNCH)
        choices.append(best)
    return _read_back(order, choices)


def _narrowest(buckets: Sequence[Bucket], length: int) -> list[Bucket]:
    """Of each number of rows the shape that pads a text of this length the least."""
    counts = {bucket.batch for bucket in buckets}
    found = [
        min((b for b in buckets if b.batch == count and b.length >= length), default=None)
        for count in sorted(counts)
    ]
    shapes = [bucket for bucket in found if bucket is not None]
    if not shapes:
        raise ValueError(f"a text of {length} tokens is longer than every shape")
    return shapes


def _read_back(order: Sequence[int], choices: Sequence[Bucket]) -> list[Filling]:
    fillings: list[Filling] = []
    last = len(order)
    while last:
        bucket = choices[last]
        first = max(0, last - bucket.batch)
        fillings.append(Filling(bucket, tuple(order[first:last])))
        last = first
    return fillings[::-1]
