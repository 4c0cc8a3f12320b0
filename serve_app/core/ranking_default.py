"""What an agent or a whole tenant has chosen for requests that do not choose."""

from dataclasses import dataclass

WHOLE_TENANT = ""
"""The agent of a default that holds for all agents without their own."""

MOST = 1000
"""Defaults of one tenant: those of all tenants are read every few seconds."""


@dataclass(frozen=True, slots=True)
class RankingDefault:
    """`profile` of searches, `language` of new scopes; None leaves it to the next wider default."""

    agent_id: str
    profile: str | None
    language: str | None
