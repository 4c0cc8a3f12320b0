"""Rate limit windows in a dictionary, held to the same contract as Postgres and Redis."""

from collections.abc import Callable

from serve_app.core.errors import DatabaseUnavailable
from serve_app.core.token_window import TokenGrant, TokenRequest, TokenWindow


class InMemoryTokens:
    """Implements ports.TokenStore; `down` makes it raise, `requests` is what it was asked."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.windows: dict[tuple[int, bytes], TokenWindow] = {}
        self.requests: list[TokenRequest] = []
        self.down = False

    async def lease(self, request: TokenRequest) -> TokenGrant:
        if self.down:
            raise DatabaseUnavailable("the fake store is down")
        self.requests.append(request)
        key = (request.tenant_id, request.subject)
        window = self.windows.setdefault(key, TokenWindow(request.limit))
        # Whoever changes a limit's count asks for another one of the same span.
        window.limit = request.limit
        return window.lease(request, self.clock())
