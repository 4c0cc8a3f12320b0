"""Read usage: what a tenant holds, may hold, and how fast it may ask."""

from serve_app.core.rate_limits import LimitRules
from serve_app.core.usage import Usage
from serve_app.operations.limit import Limiter
from serve_app.operations.ports import Ports

NO_RULES = LimitRules()


async def read_usage(
    ports: Ports, limiter: Limiter | None, tenant_id: int
) -> tuple[Usage, LimitRules]:
    """The usage of now, and the rules of the last few seconds."""
    rules = await limiter.find_rules(tenant_id) if limiter else NO_RULES
    return await ports.limits.usage(tenant_id), rules
