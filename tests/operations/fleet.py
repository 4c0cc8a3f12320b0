"""Several limiters over one store and one clock: replicas of a service, without the time."""

from dataclasses import dataclass, field
from itertools import cycle

from serve_app.core.errors import RateLimited
from serve_app.core.rate_limits import LimitRules, RateLimit
from serve_app.operations.limit import LimitedCall, Limiter
from serve_app.operations.limit_rules import RuleBook
from serve_app.operations.ports import TokenStore
from tests.fakes.limits import InMemoryLimits
from tests.fakes.memories import InMemoryMemories
from tests.fakes.meter import RecordingMeter
from tests.fakes.tokens import InMemoryTokens


@dataclass
class Clock:
    """Seconds, set by a test."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def search(agent_id: str = "agent", tenant_id: int = 1, key_id: str = "key") -> LimitedCall:
    return LimitedCall(tenant_id, key_id, "search", {agent_id: 1})


@dataclass
class Fleet:
    """`replicas` limiters that take turns; `spent` holds the moments of what was allowed."""

    store: TokenStore
    clock: Clock
    rules: LimitRules
    replicas: int = 2
    meter: RecordingMeter = field(default_factory=RecordingMeter)
    spent: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rules_of_all = RuleBook(LimitRules(), InMemoryLimits(InMemoryMemories()), self.clock)
        self.limiters = [
            Limiter(self.rules_of_all, self.store, self.meter, self.clock)
            for _ in range(self.replicas)
        ]
        self._turns = cycle(self.limiters)

    async def call(self, call: LimitedCall) -> bool:
        """Whether the next replica lets the call in."""
        try:
            await next(self._turns).spend(call, self.rules)
        except RateLimited:
            return False
        self.spent.append(self.clock.now)
        return True

    async def call_for(self, seconds: float, rate: float, call: LimitedCall) -> int:
        """How many of `rate` calls a second were let in."""
        before = len(self.spent)
        for _ in range(int(seconds * rate)):
            await self.call(call)
            self.clock.now += 1 / rate
        return len(self.spent) - before

    def most_within(self, seconds: float) -> int:
        """The most that was let in during any span of so many seconds."""
        return max(
            sum(begin <= at < begin + seconds for at in self.spent[index:])
            for index, begin in enumerate(self.spent)
        )


def open_fleet(replicas: int = 2, **limits: str) -> Fleet:
    """A fleet over one store in memory; limits by the names of LimitRules."""
    clock = Clock()
    rules = LimitRules(**{name: RateLimit.parse(text) for name, text in limits.items()})
    return Fleet(InMemoryTokens(clock), clock, rules, replicas)
