"""Who calls, and what a caller may do."""

from dataclasses import dataclass

from serve_app.core.errors import Forbidden

DEFAULT_TENANT_ID = 1

MEMORY_READ = "memory:read"
MEMORY_WRITE = "memory:write"
MEMORY_ERASE = "memory:erase"
AUDIT_READ = "audit:read"
TENANT_ADMIN = "tenant:admin"
OPERATOR = "operator"

MEMORY_SCOPES = frozenset({MEMORY_READ, MEMORY_WRITE, MEMORY_ERASE, AUDIT_READ})
"""What concerns a tenant's memories; also what anybody may do while the service is open."""

TENANT_SCOPES = MEMORY_SCOPES | {TENANT_ADMIN}
"""All that can be done within one tenant."""

SCOPES = TENANT_SCOPES | {OPERATOR}
"""All there are; OPERATOR makes and suspends tenants."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller; the tenant comes from the credential and from nowhere else.

    `key_id` is None where the service is open and nobody has to say who they are.
    """

    tenant_id: int = DEFAULT_TENANT_ID
    key_id: str | None = None
    scopes: frozenset[str] = MEMORY_SCOPES

    def require(self, scope: str) -> None:
        """Raise Forbidden, which names the scope, unless the caller has it."""
        if scope not in self.scopes:
            raise Forbidden(f"This needs a key with the scope {scope}.")
