"""What Retrieval does for the ports.RankingDefaults of other replicas; a part of that class."""

from serve_app.core.ranking_default import RankingDefault
from serve_app.operations.ports import RankingDefaults


class RankingMethods:
    """Delegates to `defaults`, which the deployment sets before it is ready."""

    defaults: RankingDefaults

    async def default_profiles(self) -> dict[tuple[int, str], str]:
        """The profiles of all tenants and agents that chose one."""
        return dict(await self.defaults.profiles())

    async def list_ranking_defaults(self, tenant_id: int) -> list[RankingDefault]:
        """All of one tenant."""
        return await self.defaults.list(tenant_id)

    async def put_ranking_default(self, tenant_id: int, default: RankingDefault) -> None:
        """Set one."""
        await self.defaults.put(tenant_id, default)

    async def drop_ranking_default(self, tenant_id: int, agent_id: str) -> None:
        """Take one away."""
        await self.defaults.drop(tenant_id, agent_id)

    async def change_language(
        self, tenant_id: int, agent_id: str, user_id: str, language: str
    ) -> None:
        """Read the words of one scope anew."""
        await self.defaults.change_language(tenant_id, agent_id, user_id, language)
