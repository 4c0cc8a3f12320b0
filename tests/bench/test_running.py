import pytest

from bench.running import open_service, parse_settings


def test_a_setting_that_does_not_exist_is_not_measured_as_the_default() -> None:
    with (
        pytest.raises(SystemExit, match="there is no setting precision"),
        open_service(precision="int8"),
    ):
        pass


def test_settings_are_named_as_in_the_readme_or_as_in_the_environment() -> None:
    pairs = ["embedding_precision=int8", "FLEETMEM_DATABASE_URL=postgresql://h/d?a=b"]
    assert parse_settings(pairs) == {
        "FLEETMEM_EMBEDDING_PRECISION": "int8",
        "FLEETMEM_DATABASE_URL": "postgresql://h/d?a=b",
    }
    assert parse_settings(None) == {}


@pytest.mark.parametrize(
    ("pair", "says"), [("embedding_precision", "wants NAME=VALUE"), ("preci=1", "no setting preci")]
)
def test_a_wrong_pair_ends_the_program(pair: str, says: str) -> None:
    with pytest.raises(SystemExit, match=says):
        parse_settings([pair])
