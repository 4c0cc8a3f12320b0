"""Which limits are in force for a tenant: the settings', and what an operator has set for it."""

from collections.abc import Callable, Mapping

from serve_app.core.rate_limits import LimitRules
from serve_app.operations.ports import TenantLimits
from serve_app.operations.rereading import Reread


class RuleBook:
    """Rules of all tenants, a few seconds old at most."""

    def __init__(
        self, default: LimitRules, tenants: TenantLimits, clock: Callable[[], float]
    ) -> None:
        self._default = default
        self._tenants = tenants
        nothing: Mapping[int, LimitRules] = {}
        self._known = Reread("the limits of tenants", nothing, self._read, clock)

    async def find(self, tenant_id: int) -> LimitRules:
        """The rules as they were a few seconds ago; only the very first call waits for them."""
        return (await self._known.find()).get(tenant_id, self._default)

    async def _read(self) -> Mapping[int, LimitRules]:
        overrides = await self._tenants.overrides()
        return {
            tenant_id: self._default.change(changes) for tenant_id, changes in overrides.items()
        }
