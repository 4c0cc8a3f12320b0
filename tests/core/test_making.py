import pickle
from dataclasses import FrozenInstanceError, fields

import pytest

from serve_app.core.making import maker_of
from serve_app.core.memory import Memory, Scope
from serve_app.core.ranking import Candidate
from tests.contracts.samples import sample


def test_what_is_made_is_what_the_constructor_makes() -> None:
    usual = sample()
    made = maker_of(Memory)(*(getattr(usual, field.name) for field in fields(Memory)))
    assert type(made) is Memory
    assert made == usual
    assert hash(made) == hash(usual)
    assert repr(made) == repr(usual)
    assert pickle.loads(pickle.dumps(made)) == usual


def test_it_is_as_frozen() -> None:
    made = maker_of(Scope)(1, "agent", "user")
    with pytest.raises(FrozenInstanceError):
        made.tenant_id = 2


def test_every_field_is_wanted() -> None:
    with pytest.raises(TypeError, match="span"):
        maker_of(Candidate)(sample(), 0.5)
