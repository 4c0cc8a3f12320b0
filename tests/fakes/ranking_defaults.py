"""What tenants and agents chose, in a dictionary."""

from collections.abc import Mapping

from serve_app.core.errors import DatabaseUnavailable, InvalidInput
from serve_app.core.ranking_default import MOST, RankingDefault

LANGUAGES = ("english", "german", "simple")


class InMemoryRankingDefaults:
    """Implements ports.RankingDefaults; `down` makes it unavailable.

    `languages` has the language of each scope that there is.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[int, str], RankingDefault] = {}
        self.languages: dict[tuple[int, str, str], str] = {}
        self.reads = 0
        self.down = False

    async def profiles(self) -> Mapping[tuple[int, str], str]:
        self.reads += 1
        if self.down:
            raise DatabaseUnavailable("down")
        return {whose: row.profile for whose, row in self.rows.items() if row.profile}

    async def list(self, tenant_id: int) -> list[RankingDefault]:
        return [row for (tenant, _), row in sorted(self.rows.items()) if tenant == tenant_id]

    async def put(self, tenant_id: int, default: RankingDefault) -> None:
        _require_known(default.language)
        mine = {agent for tenant, agent in self.rows if tenant == tenant_id}
        if len(mine | {default.agent_id}) > MOST:
            raise InvalidInput(f"at most {MOST} defaults fit; delete one", "agent_id")
        self.rows[tenant_id, default.agent_id] = default

    async def drop(self, tenant_id: int, agent_id: str) -> None:
        self.rows.pop((tenant_id, agent_id), None)

    async def change_language(
        self, tenant_id: int, agent_id: str, user_id: str, language: str
    ) -> None:
        _require_known(language)
        if (tenant_id, agent_id, user_id) not in self.languages:
            raise InvalidInput("this agent has no memory of this user", "user_id")
        self.languages[tenant_id, agent_id, user_id] = language


def _require_known(language: str | None) -> None:
    if language not in (None, *LANGUAGES):
        raise InvalidInput(f"language must be one of {', '.join(LANGUAGES)}", "language")
