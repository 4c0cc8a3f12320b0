"""Who calls, and whom they call: what every route is given."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from serve_app.api.limiting import count_call
from serve_app.core.principal import MEMORY_READ, MEMORY_WRITE, OPERATOR, TENANT_ADMIN, Principal
from serve_app.operations.service import Service
from serve_app.settings import Settings

PRINCIPAL = "fleetmem.principal"
"""Where authentication.py leaves the caller in a request's scope."""


async def identify(request: Request) -> Principal:
    """The caller. A request that nobody has authenticated is our fault, and a KeyError."""
    return request.scope[PRINCIPAL]


@dataclass(frozen=True, slots=True)
class Needs:
    """A route's demand: the caller's key must carry `scope`."""

    scope: str

    async def __call__(self, request: Request) -> Principal:
        """The caller, whose call is counted; raises Forbidden and RateLimited."""
        caller = await identify(request)
        caller.require(self.scope)
        await count_call(request, caller, self.scope)
        return caller


async def find_service(request: Request) -> Service:
    """The one service behind every door."""
    return request.app.state.service


async def find_settings(request: Request) -> Settings:
    """The settings of this process."""
    return request.app.state.settings


Reader = Annotated[Principal, Depends(Needs(MEMORY_READ))]
Writer = Annotated[Principal, Depends(Needs(MEMORY_WRITE))]
Admin = Annotated[Principal, Depends(Needs(TENANT_ADMIN))]
Operator = Annotated[Principal, Depends(Needs(OPERATOR))]
Serving = Annotated[Service, Depends(find_service)]
Knobs = Annotated[Settings, Depends(find_settings)]


def find_needs(annotation: object) -> Needs:
    """The demand within an annotation such as Reader; raises LookupError when there is none."""
    for mark in getattr(annotation, "__metadata__", ()):
        needs = getattr(mark, "dependency", None)
        if isinstance(needs, Needs):
            return needs
    raise LookupError("the caller of a route is annotated with the scope that it needs")
