import asyncio

from serve_app.core.rate_limits import LimitRules, RateLimit
from serve_app.operations.limit_rules import RuleBook
from tests.fakes.limits import InMemoryLimits
from tests.fakes.memories import InMemoryMemories
from tests.operations.fleet import Clock

DEFAULT = LimitRules(tenant=RateLimit(9, 1.0), key=RateLimit(8, 1.0))


def open_book() -> tuple[RuleBook, InMemoryLimits, Clock]:
    clock = Clock()
    limits = InMemoryLimits(InMemoryMemories())
    return RuleBook(DEFAULT, limits, clock), limits, clock


async def settled(book: RuleBook, tenant_id: int) -> LimitRules:
    await book.find(tenant_id)
    await asyncio.sleep(0)
    return await book.find(tenant_id)


async def test_a_tenant_without_its_own_has_the_settings():
    book, limits, _ = open_book()
    limits.rates[2] = {"tenant": "1/second"}
    assert await book.find(1) == DEFAULT
    assert await book.find(2) == LimitRules(tenant=RateLimit(1, 1.0), key=RateLimit(8, 1.0))


async def test_one_read_serves_all_tenants_for_a_while():
    book, limits, clock = open_book()
    for tenant_id in range(100):
        await book.find(tenant_id)
    assert limits.reads == 1
    limits.rates[1] = {"key": "unlimited"}
    clock.now += 4.9
    assert await settled(book, 1) == DEFAULT
    clock.now += 0.2
    assert await settled(book, 1) == LimitRules(tenant=RateLimit(9, 1.0))
    assert limits.reads == 2


async def test_rules_that_cannot_be_read_stay_as_they_were():
    book, limits, clock = open_book()
    limits.rates[1] = {"key": "unlimited"}
    assert (await book.find(1)).key is None
    limits.memories.down = True
    clock.now += 6
    assert (await settled(book, 1)).key is None
    limits.memories.down = False
    limits.rates.clear()
    clock.now += 6
    assert await settled(book, 1) == DEFAULT


async def test_a_start_without_a_database_takes_the_settings():
    book, limits, _ = open_book()
    limits.memories.down = True
    assert await book.find(1) == DEFAULT


async def test_first_calls_wait_together():
    book, limits, _ = open_book()
    limits.rates[1] = {"key": "unlimited"}
    found = await asyncio.gather(*(book.find(1) for _ in range(10)))
    assert limits.reads == 1
    assert all(rules.key is None for rules in found)
