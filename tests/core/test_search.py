from datetime import UTC, datetime

import numpy as np

from serve_app.core.memory import Scope
from serve_app.core.profiles import DECAY, PROFILES
from serve_app.core.ranking import RankingPolicy
from serve_app.core.search import SearchQuery, VectorSearch

SCOPE = Scope(1, "agent", "user")


def test_a_query_looks_for_every_kind_as_of_now() -> None:
    query = SearchQuery(SCOPE, "rain", 10, PROFILES[DECAY])
    assert (query.kind, query.as_of, query.context) == (None, None, 0)


def test_a_vector_search_has_a_moment_ages_count_from() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    search = VectorSearch(SCOPE, np.ones(3, np.float32), 10, RankingPolicy(), now)
    assert (search.now, search.kind) == (now, None)
