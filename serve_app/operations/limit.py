"""Limit: spend a token of every limit that a call falls under, or refuse the call.

A call that one limit refuses counts in none.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from serve_app.core.errors import RateLimited
from serve_app.core.rate_limits import LimitRules, Operation, Standing
from serve_app.core.token_account import TokenAccount
from serve_app.operations.leasing import Leases
from serve_app.operations.limit_rules import RuleBook
from serve_app.operations.ports import TokenStore
from serve_app.telemetry import Meter

AGENT_LIMITS: dict[Operation, str] = {
    "write": "agent-writes",
    "search": "agent-searches",
    "read": "agent-reads",
}

Demand = tuple[TokenAccount, int]
"""An account, and what a call costs it."""


@dataclass(frozen=True, slots=True)
class LimitedCall:
    """Who does what; `agents` tells how many times for which agent, `cost` how many in all."""

    tenant_id: int
    key_id: str
    operation: Operation
    agents: Mapping[str, int]
    cost: int = 1


class Limiter:
    """One process's view of all limits. `clock` gives seconds that never go back."""

    def __init__(
        self, rules: RuleBook, store: TokenStore, meter: Meter, clock: Callable[[], float]
    ) -> None:
        self.find_rules = rules.find
        self.leases = Leases(store, meter, clock)
        self._meter = meter
        self._clock = clock

    async def spend(self, call: LimitedCall, rules: LimitRules) -> None:
        """Count the call; raises RateLimited, and then it counts nowhere."""
        demands = self._find_demands(call, rules)
        now = self._clock()
        for account, cost in demands:
            if account.is_refused(cost, now):
                raise self._refuse(call, account, cost)
        if all(account.holds(cost, now) for account, cost in demands):
            for account, cost in demands:
                account.spend(cost, now)
        else:
            await self._take(call, demands)

    def tell(self, call: LimitedCall, rules: LimitRules) -> list[Standing]:
        """How the limits of such a call stand, as far as this process knows.

        Of the agents of a batch the one is told that has the least left.
        """
        now = self._clock()
        standings: dict[str, Standing] = {}
        for account, cost in self._find_demands(call, rules):
            standing = account.tell(cost, now)
            known = standings.get(account.name)
            if known is None or standing.remaining < known.remaining:
                standings[account.name] = standing
        return list(standings.values())

    async def _take(self, call: LimitedCall, demands: list[Demand]) -> None:
        """Spend from every account, asking the store where one holds too little."""
        taken = await asyncio.gather(*(self.leases.take(*demand) for demand in demands))
        if all(taken):
            return
        for (account, cost), was_taken in zip(demands, taken, strict=True):
            if was_taken:
                account.give_back(cost)
        raise self._refuse(call, *demands[taken.index(False)])

    def _refuse(self, call: LimitedCall, account: TokenAccount, cost: int) -> RateLimited:
        self._meter.count("rate_limited", limit=account.name, operation=call.operation)
        limit = f"{account.limit}, {account.name}"
        if cost > account.limit.count:
            text = f"{cost} at once are more than the limit ({limit}) ever allows; send fewer."
            return RateLimited(text, ceil(account.limit.seconds))
        seconds = max(1, ceil(account.find_wait(self._clock())))
        text = f"{call.operation.capitalize()} rate limit exceeded ({limit})."
        return RateLimited(f"{text} Retry in {seconds} seconds.", seconds)

    def _find_demands(self, call: LimitedCall, rules: LimitRules) -> list[Demand]:
        """The accounts of every limit that the call falls under."""
        find, tenant_id = self.leases.find_account, call.tenant_id
        demands: list[Demand] = []
        if rules.tenant:
            demands.append((find(tenant_id, "tenant", "", rules.tenant), call.cost))
        if rules.key:
            demands.append((find(tenant_id, "key", call.key_id, rules.key), call.cost))
        if limit := rules.of_agent(call.operation):
            name = AGENT_LIMITS[call.operation]
            demands += [
                (find(tenant_id, name, agent_id, limit), cost)
                for agent_id, cost in call.agents.items()
            ]
        return demands
