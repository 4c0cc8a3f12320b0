"""Ranking defaults over a handle keep the contract."""

from typing import Any

import pytest

from deployments.ranking_handle import RemoteRankingDefaults
from deployments.ranking_methods import RankingMethods
from tests.contracts.ranking_defaults_contract import RankingDefaultsContract
from tests.deployments.test_handles import StubHandle
from tests.fakes.ranking_defaults import InMemoryRankingDefaults


@pytest.fixture
def handle() -> Any:
    behind = RankingMethods()
    behind.defaults = InMemoryRankingDefaults()
    names = [name for name in vars(RankingMethods) if name[0] != "_"]
    return StubHandle(**{name: getattr(behind, name) for name in names})


@pytest.fixture
def defaults(handle: Any) -> RemoteRankingDefaults:
    return RemoteRankingDefaults(handle)


class TestRemoteRankingDefaults(RankingDefaultsContract):
    """Over calls that pickle both ways."""


async def test_a_change_whose_replica_was_lost_is_made_again(
    defaults: RemoteRankingDefaults, handle: Any
) -> None:
    handle.drop_ranking_default.losses = 1
    await defaults.drop(1, "a")
    assert handle.drop_ranking_default.calls == 2
