"""What makes a write safe to send again, and what a write came to."""

from dataclasses import dataclass

from serve_app.core.memory import Memory


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's word that all requests under it are one; `digest` is the request's sha256."""

    tenant_id: int
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """A memory as a write left it; `is_replayed` when the key had it done before."""

    memory: Memory
    is_replayed: bool = False
