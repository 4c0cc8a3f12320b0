from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from typing import Any

import pytest

from serve_app.core.memory import Kind, MemoryChanges, MemoryDraft, Scope, Status


@pytest.mark.parametrize(
    "changes",
    [
        {"content": ""},
        {"kind": Kind.EPISODIC},
        {"importance": 0.0},
        {"occurred_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"status": Status.ARCHIVED},
    ],
)
def test_any_change_counts_even_to_an_empty_value(changes: dict[str, Any]) -> None:
    assert MemoryChanges(**changes)


def test_no_change_is_none() -> None:
    assert not MemoryChanges()


def test_a_draft_has_the_defaults_of_memex() -> None:
    draft = MemoryDraft(Scope(1, "agent", "user"), "rain")
    assert (draft.kind, draft.importance, draft.occurred_at) == (Kind.EPISODIC, 0.5, None)


def test_nouns_are_values() -> None:
    scope = Scope(1, "agent", "user")
    assert scope == Scope(1, "agent", "user")
    with pytest.raises(FrozenInstanceError):
        scope.tenant_id = 2  # that it is refused is what is tested


def test_words_on_the_wire() -> None:
    assert [str(kind) for kind in Kind] == ["episodic", "semantic", "procedural"]
    assert [str(status) for status in Status] == ["active", "archived"]
