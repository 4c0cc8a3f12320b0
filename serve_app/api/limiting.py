"""Every call of a known caller is counted before its fields are looked at; its answer tells how.

The middleware only hands the limits on and tells of them: who calls is known at the route.
"""

from functools import partial
from time import time
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.api.bodies import DOCUMENT
from serve_app.api.limit_headers import write_standings
from serve_app.core.principal import MEMORY_READ, Principal
from serve_app.core.rate_limits import LimitRules, Operation
from serve_app.operations.limit import LimitedCall, Limiter

LIMITER = "fleetmem.limiter"
COUNTED = "fleetmem.counted"


class Limiting:
    """Wraps all that answers, so that 200, 404 and 429 alike tell how the limits stand."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self.app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            scope[LIMITER] = self._limiter
            send = partial(_send_with_standings, scope, send)
        await self.app(scope, receive, send)


async def count_call(request: Request, caller: Principal, needed: str) -> None:
    """Spend what the call costs; raises RateLimited. `needed` is the key's scope for the route."""
    scope = request.scope
    limiter: Limiter | None = scope.get(LIMITER)
    if limiter is None:
        return
    rules = await limiter.find_rules(caller.tenant_id)
    if not rules:
        return
    call = _describe(request, caller, needed, rules)
    scope[COUNTED] = call, rules
    await limiter.spend(call, rules)


async def _send_with_standings(scope: Scope, send: Send, message: Message) -> None:
    if message["type"] == "http.response.start" and COUNTED in scope:
        standings = scope[LIMITER].tell(*scope[COUNTED])
        message["headers"] = [*message.get("headers", ()), *write_standings(standings, time())]
    await send(message)


def _describe(request: Request, caller: Principal, needed: str, rules: LimitRules) -> LimitedCall:
    """A POST that only reads is a search; a batch writes once for each memory that it holds."""
    document: dict[str, Any] | None = request.scope.get(DOCUMENT)
    operation: Operation = "write"
    if needed == MEMORY_READ:
        operation = "read" if document is None else "search"
    items = document.get("memories") if document and operation == "write" else None
    batch: list[Any] | None = items if isinstance(items, list) else None
    agents: dict[str, int] = {}
    if rules.of_agent(operation):
        agents = _count_agents(batch or [document or request.query_params])
    cost = len(batch) if batch else 1
    return LimitedCall(caller.tenant_id, caller.key_id or "", operation, agents, cost)


def _count_agents(items: list[Any]) -> dict[str, int]:
    """How many of the items each agent has; what is no item is refused later."""
    agents: dict[str, int] = {}
    for item in items:
        agent_id = item.get("agent_id") if hasattr(item, "get") else None
        if isinstance(agent_id, str):
            agents[agent_id] = agents.get(agent_id, 0) + 1
    return agents
