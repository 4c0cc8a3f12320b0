"""How good a ranking is, where each memory is either relevant or not.

Formulas: Manning, Raghavan, Schütze, "Introduction to Information Retrieval", chapter 8;
nDCG after Järvelin and Kekäläinen 2002, with gains 0 and 1 and discount log2(rank + 1).
"""

from collections.abc import Hashable, Sequence

import numpy as np


def recall_at(ranked: Sequence[Hashable], relevant: frozenset[Hashable], k: int) -> float:
    """|relevant in the first k| / |relevant|, in [0, 1]."""
    return len(relevant.intersection(ranked[:k])) / len(relevant)


def reciprocal_rank(ranked: Sequence[Hashable], relevant: frozenset[Hashable]) -> float:
    """1 / rank of the first relevant one, from 1; 0 where none was found."""
    return next((1 / rank for rank, item in enumerate(ranked, 1) if item in relevant), 0.0)


def ndcg_at(ranked: Sequence[Hashable], relevant: frozenset[Hashable], k: int) -> float:
    """DCG of the first k over the DCG of the best order of as many, in [0, 1]."""
    gains = np.array([item in relevant for item in ranked[:k]], dtype=np.float64)
    discounts = 1 / np.log2(np.arange(k) + 2)
    ideal = discounts[: min(k, len(relevant))].sum()
    return float((gains * discounts[: len(gains)]).sum() / ideal)
