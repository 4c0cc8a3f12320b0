import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.extras import load_library


def test_a_missing_library_is_named_with_its_extra() -> None:
    assert load_library("json").loads("1") == 1
    with pytest.raises(ConfigurationError, match=r"needs no_such_library.*fleetmem\[eval\]"):
        load_library("no_such_library")
