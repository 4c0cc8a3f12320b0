"""A memory in memex's words, as the plain values that its JSON is written of."""

from collections.abc import Sequence
from typing import Any

import orjson

from serve_app.api.fields import IMPORTANCE_SCALE
from serve_app.core.memory import Memory
from serve_app.core.ranking import Hit


def tell_memory(memory: Memory, score: float | None = None) -> dict[str, Any]:
    """The fields of MemoryResponse that every memory has, in their order."""
    scope = memory.scope
    told = {
        "id": memory.id,
        "agent_id": scope.agent_id,
        "user_id": scope.user_id,
        "content": memory.content,
        "importance": memory.importance * IMPORTANCE_SCALE,
        "memory_type": memory.kind,
        "created_at": memory.created_at,
        "score": None if score is None else round(score, 4),
        "occurred_at": memory.occurred_at,
        "updated_at": memory.updated_at,
        "status": memory.status,
        "sources": memory.sources,
        "superseded_by": memory.superseded_by,
    }
    if memory.session_id is not None:
        told["session_id"] = memory.session_id
    return told


def write_memory(memory: Memory) -> bytes:
    """The JSON of MemoryResponse."""
    return _write(tell_memory(memory))


def write_hits(query: str, hits: Sequence[Hit]) -> bytes:
    """The JSON of SearchResponse, for hits that tell neither context nor explanation."""
    results = [tell_memory(hit.memory, hit.score) for hit in hits]
    return _write({"results": results, "query": query, "total": len(results)})


def _write(told: dict[str, Any]) -> bytes:
    # A twentieth of what building and validating the models costs: a third of a search's answer.
    return orjson.dumps(told, option=orjson.OPT_UTC_Z)
