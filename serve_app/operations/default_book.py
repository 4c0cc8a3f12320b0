"""Which profile ranks a search that names none: the agent's, else its tenant's."""

from collections.abc import Callable, Mapping

from serve_app.core.ranking_default import WHOLE_TENANT
from serve_app.operations.ports import RankingDefaults
from serve_app.operations.rereading import Reread


class DefaultBook:
    """Profiles of all tenants and agents that chose one; `store` is where they are changed."""

    def __init__(self, store: RankingDefaults, clock: Callable[[], float]) -> None:
        self.store = store
        nothing: Mapping[tuple[int, str], str] = {}
        self._known = Reread("the profiles of tenants", nothing, store.profiles, clock)

    async def find_profile(self, tenant_id: int, agent_id: str) -> str | None:
        """Its name, as it was a few seconds ago; None leaves it to the settings."""
        known = await self._known.find()
        if not known:
            return None
        return known.get((tenant_id, agent_id)) or known.get((tenant_id, WHOLE_TENANT))
