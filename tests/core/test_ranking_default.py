from dataclasses import FrozenInstanceError

import pytest

from serve_app.core.ranking_default import WHOLE_TENANT, RankingDefault


def test_a_tenants_own_default_comes_before_those_of_its_agents() -> None:
    """Stores list them by agent, and promise the tenant's first."""
    agents = [" ", "-1", "0", "Agent", "zoë"]
    assert min([*agents, WHOLE_TENANT]) == WHOLE_TENANT
    assert WHOLE_TENANT not in agents


def test_what_was_chosen_is_a_value() -> None:
    """It is remembered for all callers at once."""
    default = RankingDefault("agent", "hybrid", None)
    assert default == RankingDefault("agent", profile="hybrid", language=None)
    with pytest.raises(FrozenInstanceError):
        default.profile = "decay"  # that it is refused is what is tested
