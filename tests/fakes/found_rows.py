"""What storage says of a candidate before anybody has made one of it."""

from serve_app.core.ranking import Candidate
from serve_app.storage.rows import FoundRow


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
