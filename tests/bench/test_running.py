import pytest

from bench.running import open_service


def test_a_setting_that_does_not_exist_is_not_measured_as_the_default() -> None:
    with (
        pytest.raises(SystemExit, match="there is no setting precision"),
        open_service(precision="int8"),
    ):
        pass
