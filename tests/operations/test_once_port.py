import pytest

from serve_app.operations.once_port import OnceOnly
from serve_app.storage.once import PostgresOnce
from tests.fakes.once import InMemoryOnce
from tests.operations.twins import check_calls


@pytest.mark.parametrize("twin", [InMemoryOnce, PostgresOnce])
def test_a_twin_answers_the_very_calls_of_the_port(twin: type) -> None:
    check_calls(OnceOnly, twin)
