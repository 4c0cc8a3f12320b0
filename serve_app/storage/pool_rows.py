"""Fused searches become columns, and arrays of Postgres become pools."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from serve_app.core.fusion import REACH, Pool
from serve_app.core.search import FusedSearch
from serve_app.storage.rows import search_columns, to_plain_search


def pool_columns(searches: Sequence[FusedSearch]) -> list[list[Any]]:
    """The first fourteen arrays of pool_candidates.sql."""
    return [
        *search_columns([to_plain_search(search.nearest) for search in searches]),
        [search.text for search in searches],
        [" ".join(search.time.time_words) for search in searches],
        [
            REACH if search.fusion.neighbour or search.fusion.far_neighbour else 0
            for search in searches
        ],
    ]


def read_pool(arrays: Sequence[Any]) -> Pool:
    """The pool of one row of pool_candidates.sql, without its number."""
    ids, similarity, words, best_words, occurred_at, importance, sessions, *rest = arrays
    before, after, tells_time, starts, ends = rest
    return Pool(
        ids=ids,
        similarity=np.array(similarity),
        words=np.array(words),
        best_words=best_words,
        occurred_at=np.array(occurred_at),
        importance=np.array(importance),
        sessions=sessions,
        before=np.array(before, dtype=np.int64),
        after=np.array(after, dtype=np.int64),
        tells_time=np.array(tells_time, dtype=np.bool_),
        spans=list(zip(starts, ends, strict=True)),
    )
