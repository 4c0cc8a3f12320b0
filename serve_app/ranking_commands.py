"""`fleetmem tenant ranking` and `fleetmem tenant language`: how to rank, and what a word is."""

from typing import TYPE_CHECKING, Annotated

import typer

from serve_app.core.errors import InvalidInput
from serve_app.core.profiles import PROFILES
from serve_app.core.ranking_default import WHOLE_TENANT, RankingDefault
from serve_app.key_commands import HERE, DatabaseOption, ask_database

if TYPE_CHECKING:
    from serve_app.storage.connection import Pool

RANKING_EXAMPLE = "Example: fleetmem tenant ranking acme --agent helpdesk --profile hybrid"
LANGUAGE_EXAMPLE = "Example: fleetmem tenant language acme helpdesk anna --to german"
NAMES = ", ".join(PROFILES)
NONE = "none"


def rank_tenant(
    name: str,
    agent: Annotated[
        str, typer.Option(help="The agent it is for.", show_default="the whole tenant")
    ] = WHOLE_TENANT,
    profile: Annotated[
        str | None, typer.Option(help=f"How searches rank that do not say: {NAMES}, or none.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of scopes made from now on, or none.")
    ] = None,
    database: DatabaseOption = HERE,
) -> None:
    """Set what is named, within five seconds for a running service; tell all that is set."""
    if profile not in (None, NONE, *PROFILES):
        raise InvalidInput(f"there is no such profile: take one of {NAMES}", "profile")

    async def change(pool: "Pool") -> list[RankingDefault]:
        from serve_app.storage.keys import PostgresKeys
        from serve_app.storage.ranking_defaults import PostgresRankingDefaults

        tenant_id = (await PostgresKeys(pool).find_tenant(name)).tenant_id
        defaults = PostgresRankingDefaults(pool)
        if profile or language:
            found = {one.agent_id: one for one in await defaults.list(tenant_id)}
            before = found.get(agent, RankingDefault(agent, None, None))
            chosen = RankingDefault(
                agent, _choose(profile, before.profile), _choose(language, before.language)
            )
            if chosen.profile or chosen.language:
                await defaults.put(tenant_id, chosen)
            else:
                await defaults.drop(tenant_id, agent)
        return await defaults.list(tenant_id)

    for one in ask_database(database, change):
        whose = f"agent {one.agent_id}" if one.agent_id else "all agents"
        typer.echo(f"{whose}: profile {one.profile or NONE}, language {one.language or NONE}")


def change_language(
    name: str,
    agent: str,
    user: str,
    to: Annotated[str, typer.Option(help="A text search configuration of the database.")],
    database: DatabaseOption = HERE,
) -> None:
    """Index the words of what an agent knows of a user anew; its writers wait meanwhile."""

    async def change(pool: "Pool") -> None:
        from serve_app.storage.keys import PostgresKeys
        from serve_app.storage.ranking_defaults import PostgresRankingDefaults

        tenant_id = (await PostgresKeys(pool).find_tenant(name)).tenant_id
        await PostgresRankingDefaults(pool).change_language(tenant_id, agent, user, to)

    ask_database(database, change)


def _choose(given: str | None, before: str | None) -> str | None:
    return before if given is None else None if given == NONE else given
