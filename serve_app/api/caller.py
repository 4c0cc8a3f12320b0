"""Who calls, and whom they call: what every route is given."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from serve_app.core.principal import Principal
from serve_app.operations.service import Service
from serve_app.settings import Settings


async def identify() -> Principal:
    """The caller; there is one tenant as long as no keys are issued."""
    return Principal()


async def find_service(request: Request) -> Service:
    """The one service behind every door."""
    return request.app.state.service


async def find_settings(request: Request) -> Settings:
    """The settings of this process."""
    return request.app.state.settings


Caller = Annotated[Principal, Depends(identify)]
Serving = Annotated[Service, Depends(find_service)]
Knobs = Annotated[Settings, Depends(find_settings)]
