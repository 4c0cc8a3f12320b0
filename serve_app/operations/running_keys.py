"""The idempotency keys at work in this process, so that no text is embedded for nothing."""

from collections.abc import Generator
from contextlib import contextmanager

from serve_app.core.errors import KeyReused, StillRunning
from serve_app.core.writing import IdempotencyKey


class RunningKeys:
    """Only spares work: what other processes do is found out, and decided, in storage."""

    def __init__(self) -> None:
        self._digests: dict[tuple[int, str], bytes] = {}

    @contextmanager
    def hold(self, key: IdempotencyKey) -> Generator[None]:
        """Keep the key busy; raises KeyReused or StillRunning when it is."""
        name = key.tenant_id, key.key
        digest = self._digests.get(name)
        if digest is not None:
            if digest != key.digest:
                raise KeyReused("the key belongs to another request")
            raise StillRunning("the request under this key is still running")
        self._digests[name] = key.digest
        try:
            yield
        finally:
            del self._digests[name]
