"""The HTTP application over a world in memory, spoken to without a socket."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from serve_app.asgi import create_api, create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.fakes.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def settings() -> Settings:
    return Settings(max_body_bytes=65_536, max_batch_body_bytes=1_048_576)


@pytest.fixture
def api(world: World, settings: Settings) -> FastAPI:
    return create_api(world.service, settings, PrometheusMeter())


@pytest.fixture
def app(world: World, settings: Settings) -> ASGIApp:
    return create_asgi_app(world.service, settings, PrometheusMeter(), world.meter)


@pytest.fixture
async def client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(app) as client:
        yield client


def open_client(app: ASGIApp) -> httpx.AsyncClient:
    """A client of `app`; what the application lets out is raised here."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fleetmem.test")
