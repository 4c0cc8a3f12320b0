import pickle

import pytest

from serve_app.core import errors
from serve_app.core.errors import FleetmemError, InvalidInput, Unavailable

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_an_error_survives_a_process_boundary(kind: type[FleetmemError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what happened")))
    assert type(error) is kind
    assert error.message == "what happened"
    assert error.code == kind.code


def test_every_code_is_its_own() -> None:
    assert len({kind.code for kind in TREE}) == len(TREE)


def test_invalid_input_keeps_its_field() -> None:
    error = pickle.loads(pickle.dumps(InvalidInput("too long", "content")))
    assert (error.message, error.field) == ("too long", "content")
    assert InvalidInput("bad").field is None


def test_unavailable_keeps_when_to_come_back() -> None:
    error = pickle.loads(pickle.dumps(errors.Overloaded("full", 7)))
    assert (error.message, error.retry_after) == ("full", 7)
    assert isinstance(error, Unavailable)
    assert errors.DatabaseUnavailable("away").retry_after == 1


def test_the_tree_stands_at_the_head_of_the_file() -> None:
    assert errors.__doc__ is not None
    for kind in TREE:
        assert kind.__name__ in errors.__doc__
