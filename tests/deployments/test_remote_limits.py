"""Limits over a handle keep the contract; a lease is never asked for twice."""

import pytest

from deployments.handles import RemoteLimits
from deployments.wire import pack, unpack
from serve_app.core.errors import Unavailable
from serve_app.core.rate_limits import RateLimit
from serve_app.core.token_window import TokenRequest
from tests.contracts.tokens_contract import TokensContract
from tests.deployments.test_handles import StubHandle
from tests.fakes.limits import InMemoryLimits
from tests.fakes.memories import InMemoryMemories
from tests.fakes.meter import RecordingMeter
from tests.fakes.tokens import InMemoryTokens
from tests.operations.fleet import Clock

REQUEST = TokenRequest(1, b"s" * 16, RateLimit(9, 60.0), 1, 1, 0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def handle(clock: Clock) -> StubHandle:
    tokens = InMemoryTokens(clock)
    limits = InMemoryLimits(InMemoryMemories())
    limits.rates[7] = {"key": "1/second"}

    async def lease_tokens(packed: bytes) -> bytes:
        return pack([await tokens.lease(request) for request in unpack(packed)])

    return StubHandle(
        lease_tokens=lease_tokens, limit_overrides=limits.overrides, usage=limits.usage
    )


@pytest.fixture
def tokens(handle: StubHandle) -> RemoteLimits:
    return RemoteLimits(handle, RecordingMeter())


class TestRemoteLimits(TokensContract):
    """Windows over a handle."""


async def test_a_lease_that_was_lost_is_not_made_again(tokens, handle) -> None:
    handle.lease_tokens.losses = 1
    with pytest.raises(Unavailable):
        await tokens.lease(REQUEST)
    assert handle.lease_tokens.calls == 1
    assert (await tokens.lease(REQUEST)).granted == 1


async def test_what_is_set_and_held_comes_back(tokens, handle) -> None:
    assert await tokens.overrides() == {7: {"key": "1/second"}}
    handle.usage.losses = 1
    assert (await tokens.usage(1)).memories == 0
