from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from serve_app.api.responses import MemoryResponse, SearchResponse
from serve_app.api.told_memory import write_hits, write_memory
from serve_app.core.memory import Kind, Memory, Scope, Status
from serve_app.core.ranking import Hit

texts = st.text(st.characters(exclude_categories=["Cs"]))
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
memories = st.builds(
    Memory,
    id=st.uuids(),
    scope=st.builds(Scope, st.integers(1, 9), texts, texts),
    content=texts,
    kind=st.sampled_from(Kind),
    importance=st.floats(0, 1),
    created_at=moments,
    occurred_at=moments,
    updated_at=moments,
    status=st.sampled_from(Status),
    sources=st.lists(st.uuids(), max_size=3).map(tuple),
    superseded_by=st.none() | st.uuids(),
    session_id=st.none() | texts.filter(bool),
)
hits = st.builds(
    Hit,
    memory=memories,
    similarity=st.floats(-1, 1),
    recency=st.floats(0, 1),
    importance=st.floats(0, 1),
    score=st.floats(-1e9, 1e9),
    span=st.just((0, 1)),
    signals=st.none(),
    context=st.none(),
)


def _dump(model: MemoryResponse | SearchResponse) -> bytes:
    return type(model).__pydantic_serializer__.to_json(model)


@given(memories)
def test_a_memory_is_written_as_its_model_writes_it(memory: Memory) -> None:
    written = write_memory(memory)
    assert written == _dump(MemoryResponse.of(memory))
    assert MemoryResponse.model_validate_json(written) == MemoryResponse.of(memory)


@given(texts, st.lists(hits, max_size=4))
def test_hits_are_written_as_their_model_writes_them(query: str, found: list[Hit]) -> None:
    results = [MemoryResponse.of(hit.memory, hit) for hit in found]
    model = SearchResponse(results=results, query=query, total=len(results))
    assert write_hits(query, found) == _dump(model)
