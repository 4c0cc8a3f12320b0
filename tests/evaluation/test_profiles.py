import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.profiles import read_profiles


def test_a_profile_is_a_name_and_fields() -> None:
    plain, weighed = read_profiles(["hybrid", "conversation:words=0.7,include_context=2,x=y"], None)
    assert (plain.label, plain.fields) == ("hybrid", {"profile": "hybrid"})
    assert weighed.fields == {
        "profile": "conversation",
        "include_context": 2,
        "weights": {"words": 0.7, "x": "y"},
    }


def test_alpha_belongs_to_decay() -> None:
    decay, hybrid, own = read_profiles(["decay", "hybrid", "decay:alpha=0.5"], 1.0)
    assert (decay.label, decay.fields) == ("decay:alpha=1", {"profile": "decay", "alpha": 1.0})
    assert "alpha" not in hybrid.fields
    assert own.fields["alpha"] == 0.5
    with pytest.raises(ConfigurationError, match="--alpha belongs to"):
        read_profiles(["hybrid"], 1.0)


def test_a_profile_is_asked_once_and_written_well() -> None:
    with pytest.raises(ConfigurationError, match="once"):
        read_profiles(["hybrid", "hybrid"], None)
    with pytest.raises(ConfigurationError, match="NAME:WEIGHT=NUMBER"):
        read_profiles(["hybrid:words"], None)
