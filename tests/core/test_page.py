from serve_app.core.memory import Status
from serve_app.core.page import MemoryFilter, MemoryPage


def test_a_filter_asks_for_active_memories_of_anybody_at_any_time() -> None:
    where = MemoryFilter(1)
    assert where.status is Status.ACTIVE
    assert (where.agent_id, where.user_id, where.kind) == (None, None, None)
    assert (where.occurred_from, where.occurred_before) == (None, None)


def test_a_page_without_continuation_ends_the_walk() -> None:
    assert MemoryPage((), None) == MemoryPage((), next_after=None)
