"""What tenants may do and hold, in dictionaries."""

from collections.abc import Mapping

from serve_app.core.usage import Usage
from tests.fakes.memories import InMemoryMemories


class InMemoryLimits:
    """Implements ports.TenantLimits over the memories in a dictionary."""

    def __init__(self, memories: InMemoryMemories) -> None:
        self.memories = memories
        self.rates: dict[int, Mapping[str, str]] = {}
        self.reads = 0

    async def overrides(self) -> Mapping[int, Mapping[str, str]]:
        self.reads += 1
        self.memories.require_up()
        return dict(self.rates)

    async def usage(self, tenant_id: int) -> Usage:
        self.memories.require_up()
        return self.memories.usage(tenant_id)
