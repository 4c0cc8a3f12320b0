"""What tenants and agents have chosen for searches and scopes that do not choose."""

from serve_app.core.errors import InvalidInput
from serve_app.core.ranking_default import MOST, RankingDefault
from serve_app.storage.connection import Connection, Pool, acquired, transaction
from serve_app.storage.languages import list_languages
from serve_app.storage.queries import query


class PostgresRankingDefaults:
    """Implements ports.RankingDefaults over a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def profiles(self) -> dict[tuple[int, str], str]:
        """See ports.RankingDefaults."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch("select * from default_profiles()")
        return {(row["tenant_id"], row["agent_id"]): row["profile"] for row in rows}

    async def list(self, tenant_id: int) -> list[RankingDefault]:
        """See ports.RankingDefaults."""
        async with transaction(self._pool, tenant_id) as connection:
            rows = await connection.fetch(
                "select agent_id, profile, language from ranking_defaults"
                " where tenant_id = $1 order by agent_id",
                tenant_id,
            )
        return [RankingDefault(*row) for row in rows]

    async def put(self, tenant_id: int, default: RankingDefault) -> None:
        """See ports.RankingDefaults."""
        async with transaction(self._pool, tenant_id) as connection:
            await _require_known(connection, default.language)
            chosen = (default.agent_id, default.profile, default.language)
            await connection.execute(query("set_ranking_default"), tenant_id, *chosen)
            is_over = await connection.fetchval(
                "select count(*) > $2 from ranking_defaults where tenant_id = $1", tenant_id, MOST
            )
            if is_over:
                raise InvalidInput(f"at most {MOST} defaults fit; delete one", "agent_id")

    async def drop(self, tenant_id: int, agent_id: str) -> None:
        """See ports.RankingDefaults."""
        async with transaction(self._pool, tenant_id) as connection:
            await connection.execute(
                "delete from ranking_defaults where tenant_id = $1 and agent_id = $2",
                tenant_id,
                agent_id,
            )

    async def change_language(
        self, tenant_id: int, agent_id: str, user_id: str, language: str
    ) -> None:
        """See ports.RankingDefaults."""
        async with transaction(self._pool, tenant_id) as connection:
            await _require_known(connection, language)
            whose = (tenant_id, agent_id, user_id)
            if not await connection.fetchval(
                "select change_language($1, $2, $3, $4)", *whose, language
            ):
                raise InvalidInput("this agent has no memory of this user", "user_id")


async def _require_known(connection: Connection, language: str | None) -> None:
    known = await list_languages(connection)
    if language is not None and language not in known:
        raise InvalidInput(f"language must be one of {', '.join(known)}", "language")
