"""Plain searches and plain rows, and the nouns that they stand for."""

import numpy as np
from pgvector import HalfVector

from serve_app.core.memory import Kind, Scope
from serve_app.core.ranking import Candidate, RankingPolicy
from serve_app.core.search import VectorSearch
from serve_app.storage.rows import FoundRow, PlainSearch


def found_row(candidate: Candidate) -> FoundRow:
    """The plain row that to_candidates makes this candidate of."""
    memory = candidate.memory
    return (
        *(1, candidate.similarity, *candidate.span, memory.id.bytes, memory.content),
        *(memory.kind.value, memory.importance),
        *(memory.created_at, memory.occurred_at, memory.updated_at, memory.status.value),
        [source.bytes for source in memory.sources],
        None if memory.superseded_by is None else memory.superseded_by.bytes,
        *(memory.version, memory.session_id),
    )


def asked_search(search: PlainSearch) -> VectorSearch:
    """The search that to_plain_search made this of, with its vector in halves."""
    tenant_id, agent_id, user_id, vector, top_k, *policy, now, kind, model = search
    return VectorSearch(
        Scope(tenant_id, agent_id, user_id),
        HalfVector.from_binary(vector).to_numpy().astype(np.float32),
        top_k,
        RankingPolicy(*policy),
        now,
        kind and Kind(kind),
        model,
    )
