"""The route of what a tenant holds, and of its quotas and limits."""

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from serve_app.api.bodies import JsonRoute
from serve_app.api.caller import Reader, Serving
from serve_app.core.rate_limits import LimitRules
from serve_app.core.usage import Usage

router = APIRouter(route_class=JsonRoute, tags=["tenant"])


class UsageResponse(BaseModel):
    """Null stands for no quota, and for no limit."""

    memories: int = Field(description="memories of every status")
    bytes: int = Field(description="bytes of their contents in UTF-8")
    quota_memories: int | None
    quota_bytes: int | None
    limits: dict[str, str | None] = Field(description="rate limits by name, as `N/unit`")

    @classmethod
    def of(cls, usage: Usage, rules: LimitRules) -> Self:
        """What is held, and what is in force."""
        limits = {name: getattr(rules, name) for name in LimitRules.__slots__}
        return cls(
            memories=usage.memories,
            bytes=usage.bytes,
            quota_memories=usage.quota.memories,
            quota_bytes=usage.quota.bytes,
            limits={name: None if limit is None else str(limit) for name, limit in limits.items()},
        )


@router.get("/v1/usage")
async def read_usage(service: Serving, caller: Reader) -> UsageResponse:
    """What the caller's tenant holds and may hold, and how fast it may ask."""
    usage, rules = await service.read_usage(caller)
    return UsageResponse.of(usage, rules)
