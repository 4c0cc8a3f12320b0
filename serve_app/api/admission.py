"""Middleware: who would wait for too long is turned away at once, before anything is read."""

import asyncio
import logging
from math import ceil
from time import monotonic

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.access import PROBES
from serve_app.api.congestion import Congestion
from serve_app.api.problems import answer_error
from serve_app.core.errors import Overloaded
from serve_app.logs import REQUEST_ID
from serve_app.telemetry import Meter

logger = logging.getLogger(__name__)

LONGEST_RETRY_AFTER = 30
TELLING_SECONDS = 1.0
LAG_SECONDS = 0.05
REQUEST_ID_MARK = "{request id}"

REFUSALS_PER_SECOND = 1500.0
"""As many are answered at once; they take a third of a core."""

LONGEST_PAUSE = 0.5


class Pacer:
    """Refusals beyond a rate wait for their turn, half a second at most.

    Who asks again at once, whatever Retry-After says, is slowed down by that: a thousand such
    callers would keep the service busy with refusals, and nobody would be served.
    """

    def __init__(self) -> None:
        self._turn = 0.0

    def find_pause(self, now: float) -> float:
        """Seconds that the refusal of this moment waits."""
        self._turn = min(max(self._turn + 1 / REFUSALS_PER_SECOND, now), now + LONGEST_PAUSE)
        return self._turn - now


class Admission:
    """Lets requests in while the expected wait is short, and never more than `limit`.

    Probes always get in: a full house is not a sick one. A refusal costs next to nothing: its
    answer is made once, and it is counted and logged with those of the same second.
    """

    def __init__(self, app: ASGIApp, limit: int, wait_seconds: float, meter: Meter) -> None:
        self.app = app
        self.limit = limit
        self.meter = meter
        self.congestion = Congestion(wait_seconds)
        self._answers: dict[int, tuple[bytes, bytes]] = {}
        self._pacer = Pacer()
        self._untold = 0
        self._lag_asked = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or answer 503 with the seconds after which it is worth to come again."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        now = monotonic()
        congestion = self.congestion
        if now - self._lag_asked > LAG_SECONDS:
            self._ask_for_lag(now)
        if congestion.is_full(now) or congestion.inside >= self.limit:
            congestion.refuse()
            await self._refuse(send, now)
            return
        congestion.enter()
        try:
            await self.app(scope, receive, send)
        finally:
            congestion.leave(monotonic())

    def is_refused(self, scope: Scope) -> bool:
        """Whether this request would be refused now."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            return False
        return self.congestion.is_full(monotonic()) or self.congestion.inside >= self.limit

    async def _refuse(self, send: Send, now: float) -> None:
        if not self._untold:
            asyncio.get_running_loop().call_later(TELLING_SECONDS, self._tell)
        self._untold += 1
        pause = self._pacer.find_pause(now)
        if pause:
            await asyncio.sleep(pause)
        seconds = self._find_retry_after()
        before, after = self._answers.get(seconds) or self._write_answer(seconds)
        body = before + (REQUEST_ID.get() or "").encode() + after
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", str(seconds).encode()),
        ]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _find_retry_after(self) -> int:
        """Seconds in which those before, and those who are refused now, can be worked off."""
        share = min(self.congestion.refused_share, 0.95)
        seconds = self.congestion.expected_wait() / (1.0 - share)
        return ceil(min(max(seconds, 1.0), LONGEST_RETRY_AFTER))

    def _write_answer(self, seconds: int) -> tuple[bytes, bytes]:
        """The problem as everywhere else, cut where the request's id goes."""
        token = REQUEST_ID.set(REQUEST_ID_MARK)
        try:
            body = bytes(answer_error(Overloaded("too many requests at once", seconds)).body)
        finally:
            REQUEST_ID.reset(token)
        before, after = body.split(REQUEST_ID_MARK.encode())
        self._answers[seconds] = before, after
        return before, after

    def _tell(self) -> None:
        """Count and log the refusals of the last second."""
        refused, self._untold = self._untold, 0
        self.meter.count("http_requests_refused", refused)
        logger.warning(
            "refused %d requests, %d are inside, expected wait %.2f s",
            refused,
            self.congestion.inside,
            self.congestion.expected_wait(),
        )

    def _ask_for_lag(self, now: float) -> None:
        """Time one whole turn of the event loop, from the next to the one after."""
        self._lag_asked = now
        loop = asyncio.get_running_loop()

        def begin() -> None:
            began = monotonic()
            loop.call_soon(lambda: self.congestion.note_lag(monotonic() - began))

        loop.call_soon(begin)
