import pytest

from serve_app.core.errors import DatabaseUnavailable
from serve_app.core.memory import Scope
from serve_app.core.rate_limits import LimitRules, RateLimit
from serve_app.core.usage import Quota, Usage
from serve_app.operations.read_usage import read_usage
from tests.fakes.world import World

RULES = LimitRules(tenant=RateLimit(9, 1.0))


async def test_a_tenant_is_told_its_own_usage_quota_and_limits() -> None:
    world = World(rules=RULES)
    world.memories.quotas[2] = Quota(memories=5)
    world.limits.rates[2] = {"tenant": "1/second"}
    await world.remember("snö", Scope(1, "agent", "user"))
    for agent_id in ("a", "b"):
        await world.remember("rain", Scope(2, agent_id, "user"))
    assert await read_usage(world.ports, world.limiter, 1) == (Usage(1, 4, Quota()), RULES)
    usage, rules = await read_usage(world.ports, world.limiter, 2)
    assert usage == Usage(2, 8, Quota(memories=5))
    assert rules == LimitRules(tenant=RateLimit(1, 1.0))


async def test_where_nobody_limits_there_are_no_rules() -> None:
    world = World(rules=RULES)
    _, rules = await read_usage(world.ports, None, 1)
    assert not rules


async def test_usage_that_cannot_be_read_is_not_made_up() -> None:
    world = World(rules=RULES)
    world.memories.down = True
    with pytest.raises(DatabaseUnavailable):
        await read_usage(world.ports, world.limiter, 1)
