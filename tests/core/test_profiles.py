from typing import get_args

import pytest

from serve_app.api.fields import ProfileName
from serve_app.core.errors import InvalidInput
from serve_app.core.profiles import DECAY, PROFILES, FusionWeights, Profile
from serve_app.core.ranking import RankingPolicy


def test_profiles_are_found_by_their_names() -> None:
    assert all(profile.name == name for name, profile in PROFILES.items())
    assert tuple(PROFILES) == get_args(ProfileName)


def test_decay_is_memex_s_formula_and_looks_at_nothing_else() -> None:
    assert PROFILES[DECAY].policy == RankingPolicy.from_alpha(0.7, 30.0)
    assert not PROFILES[DECAY].fusion


def test_blend_forgets_by_e_in_a_week() -> None:
    blend = PROFILES["blend"]
    assert not blend.fusion
    assert 2 ** (-7 / blend.policy.half_life_days) == pytest.approx(0.36787944117)
    assert list(blend.weights.values())[:3] == [0.6, 0.1, 0.3]


def test_every_weight_can_be_given_anew() -> None:
    for name in PROFILES["conversation"].weights:
        given = PROFILES["conversation"].weigh({name: 0.123})
        assert given.weights == PROFILES["conversation"].weights | {name: 0.123}
    assert PROFILES["blend"].weigh({"half_life_days": 3.0}).policy.half_life_days == 3.0
    assert PROFILES[DECAY].weigh({"words": 0.1}).fusion


def test_a_weight_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidInput, match="wrods"):
        PROFILES["hybrid"].weigh({"wrods": 1.0})


def test_weights_of_nothing_ask_for_no_pool() -> None:
    assert not Profile("x", 1, RankingPolicy()).fusion
    for name in FusionWeights.__slots__:
        assert FusionWeights(**{name: 0.1})
