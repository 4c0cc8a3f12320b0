"""The remote adapter of ports.RankingDefaults."""

from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.remote_errors import call_once, call_until
from serve_app.core.ranking_default import RankingDefault

LOOK_SECONDS = 2.0
"""The first search of a replica waits that long at most."""

CHANGE_SECONDS = 10.0

REREAD_SECONDS = 60.0
"""The words of a large scope take long; the database's own time limit ends it sooner."""


class RemoteRankingDefaults:
    """ports.RankingDefaults over the Retrieval deployment; changes may safely run twice."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    async def profiles(self) -> dict[tuple[int, str], str]:
        """See ports.RankingDefaults."""
        return await call_once(self._handle.default_profiles.remote(), LOOK_SECONDS)

    async def list(self, tenant_id: int) -> list[RankingDefault]:
        """See ports.RankingDefaults."""
        return await call_until(
            lambda: self._handle.list_ranking_defaults.remote(tenant_id), CHANGE_SECONDS
        )

    async def put(self, tenant_id: int, default: RankingDefault) -> None:
        """See ports.RankingDefaults."""
        await call_until(
            lambda: self._handle.put_ranking_default.remote(tenant_id, default), CHANGE_SECONDS
        )

    async def drop(self, tenant_id: int, agent_id: str) -> None:
        """See ports.RankingDefaults."""
        await call_until(
            lambda: self._handle.drop_ranking_default.remote(tenant_id, agent_id), CHANGE_SECONDS
        )

    async def change_language(
        self, tenant_id: int, agent_id: str, user_id: str, language: str
    ) -> None:
        """See ports.RankingDefaults."""
        whose = (tenant_id, agent_id, user_id)
        await call_until(
            lambda: self._handle.change_language.remote(*whose, language), REREAD_SECONDS
        )
