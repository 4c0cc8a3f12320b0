"""The routes of how an agent or a whole tenant ranks by default, for a tenant's admin.

And of the language of a scope that is there already.
"""

from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from serve_app.api.bodies import JsonRoute
from serve_app.api.caller import Admin, Serving
from serve_app.api.fields import Name, ProfileName, Text
from serve_app.core.ranking_default import WHOLE_TENANT, RankingDefault

PATH = "/v1/ranking-defaults"
LANGUAGE_PATH = "/v1/scope-language"

router = APIRouter(route_class=JsonRoute, tags=["tenant"])


class RankingDefaultPut(BaseModel):
    """What an agent gets, or the whole tenant, in the place of what it had."""

    model_config = ConfigDict(extra="forbid")

    agent_id: Name | None = Field(None, description="the tenant, if not given")
    profile: ProfileName | None = Field(
        None, description="of searches without one; the next wider default, if not given"
    )
    language: Text | None = Field(
        None, description="a text search configuration of Postgres, for scopes made from now on"
    )

    @model_validator(mode="after")
    def require_choice(self) -> Self:
        """A default of nothing is a deletion, which has its own method."""
        if self.profile is None and self.language is None:
            raise PydanticCustomError("no_change", "name a profile or a language")
        return self

    def to_default(self) -> RankingDefault:
        """The default in the words of the core."""
        return RankingDefault(self.agent_id or WHOLE_TENANT, self.profile, self.language)


class RankingDefaultResponse(BaseModel):
    """One default; without an agent the tenant's. Null leaves it to the next wider default."""

    agent_id: str | None
    profile: str | None
    language: str | None

    @classmethod
    def of(cls, default: RankingDefault) -> Self:
        """The default in the words of the door."""
        return cls(
            agent_id=default.agent_id or None, profile=default.profile, language=default.language
        )


class RankingDefaultsResponse(BaseModel):
    """All defaults of a tenant, its own first."""

    defaults: list[RankingDefaultResponse]


@router.get(PATH)
async def list_ranking_defaults(service: Serving, caller: Admin) -> RankingDefaultsResponse:
    """The defaults of the caller's tenant and of its agents."""
    found = await service.defaults.store.list(caller.tenant_id)
    return RankingDefaultsResponse(defaults=[RankingDefaultResponse.of(one) for one in found])


@router.put(PATH)
async def put_ranking_default(
    body: RankingDefaultPut, service: Serving, caller: Admin
) -> RankingDefaultResponse:
    """Set a default; searches follow within five seconds."""
    default = body.to_default()
    await service.defaults.store.put(caller.tenant_id, default)
    return RankingDefaultResponse.of(default)


@router.delete(PATH, status_code=204, response_class=Response)
async def drop_ranking_default(
    service: Serving,
    caller: Admin,
    agent_id: Annotated[
        Name | SkipJsonSchema[None], Query(description="the tenant's, without")
    ] = None,
) -> None:
    """Take a default away; also where there is none."""
    await service.defaults.store.drop(caller.tenant_id, agent_id or WHOLE_TENANT)


class ScopeLanguage(BaseModel):
    """The language in which the words of what an agent knows of a user are read."""

    model_config = ConfigDict(extra="forbid")

    agent_id: Name
    user_id: Name
    language: Text = Field(description="a text search configuration of Postgres")


@router.put(LANGUAGE_PATH)
async def put_scope_language(body: ScopeLanguage, service: Serving, caller: Admin) -> ScopeLanguage:
    """Read all words of a scope anew; who writes to it waits meanwhile."""
    await service.defaults.store.change_language(
        caller.tenant_id, body.agent_id, body.user_id, body.language
    )
    return body
