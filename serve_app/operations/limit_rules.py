"""Which limits are in force for a tenant: the settings', and what an operator has set for it."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from serve_app.core.errors import Unavailable
from serve_app.core.rate_limits import LimitRules
from serve_app.operations.ports import TenantLimits

logger = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
"""How long rules of tenants are used before they are read again."""


class RuleBook:
    """Rules of all tenants, read again in the background while calls come; one read for all."""

    def __init__(
        self, default: LimitRules, tenants: TenantLimits, clock: Callable[[], float]
    ) -> None:
        self._default = default
        self._tenants = tenants
        self._clock = clock
        self._known: Mapping[int, LimitRules] = {}
        self._read_again_at = -1.0
        self._reading: asyncio.Task[None] | None = None

    async def find(self, tenant_id: int) -> LimitRules:
        """The rules as they were a few seconds ago; only the very first call waits for them."""
        if self._clock() >= self._read_again_at:
            is_first = self._read_again_at < 0
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
            if is_first:
                await asyncio.shield(self._reading)
        return self._known.get(tenant_id, self._default)

    async def _read(self) -> None:
        """Read them; where that fails the old ones stay in force."""
        try:
            overrides = await self._tenants.overrides()
            self._known = {
                tenant_id: self._default.change(changes) for tenant_id, changes in overrides.items()
            }
        except Unavailable as error:
            logger.warning("the limits of tenants cannot be read: %s", error.code)
        finally:
            self._read_again_at = self._clock() + FRESH_SECONDS
            self._reading = None
