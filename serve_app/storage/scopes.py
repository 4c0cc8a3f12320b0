"""The integer that stands for a scope in every narrow index."""

from collections import OrderedDict
from collections.abc import Sequence

from serve_app.core.memory import Scope
from serve_app.storage.connection import Pool, acquired
from serve_app.storage.queries import query

KEPT_SCOPES = 100_000


class ScopeIds:
    """Looks ids up, makes missing ones, and remembers the last 100,000: they never change."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: OrderedDict[Scope, int] = OrderedDict()

    async def of(self, scopes: Sequence[Scope]) -> list[int]:
        """The id of each scope, in order."""
        missing = {scope for scope in scopes if scope not in self._known}
        if missing:
            await self._make(sorted(missing, key=lambda s: (s.tenant_id, s.agent_id, s.user_id)))
        found = [self._known[scope] for scope in scopes]
        while len(self._known) > KEPT_SCOPES:
            self._known.popitem(last=False)
        return found

    async def _make(self, scopes: Sequence[Scope]) -> None:
        columns = (
            [scope.tenant_id for scope in scopes],
            [scope.agent_id for scope in scopes],
            [scope.user_id for scope in scopes],
        )
        # A scope that another process makes at the same moment is found at the second look.
        while not all(scope in self._known for scope in scopes):
            async with acquired(self._pool) as connection:
                for row in await connection.fetch(query("add_scopes"), *columns):
                    scope = Scope(row["tenant_id"], row["agent_id"], row["user_id"])
                    self._known[scope] = row["scope_id"]
