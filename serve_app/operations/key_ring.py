"""Whose key is this? Remembered keys, and one look at the stored ones a second.

A remembered key stays true while the epoch of the stored keys does (see core/keys.py), so one look
tells about all of them, and what was revoked is refused after LONGEST_SECONDS at the latest, in
every process. When the stored keys cannot be looked at for as long, nobody gets in.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from math import inf

from serve_app.core.errors import Unauthenticated, Unavailable
from serve_app.core.keys import KeyRecord, KeysFound, admit, find_key_id
from serve_app.core.principal import Principal
from serve_app.operations.ports import Keys

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 2.0
"""How long one look is trusted, from before it began."""

REFRESH_SECONDS = 1.0
"""Age at which the next look begins, while the last one is still trusted: nobody waits for it."""

TELLING_SECONDS = 60.0
"""How often the last uses of keys are written."""

KEPT_KEYS = 20_000
KEPT_UNKNOWN = 2_000

EVERYBODY = Principal()


class KeyRing:
    """Turns a key's text into a Principal; `open_allowed` lets everybody in until a key is made.

    It closes by itself and for good: within LONGEST_SECONDS after the first key was made.
    """

    def __init__(
        self,
        keys: Keys,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        open_allowed: bool,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._monotonic = monotonic
        self._open = open_allowed
        self._epoch = -1
        self._checked_at = -inf
        self._known: OrderedDict[str, tuple[int, KeyRecord]] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._wanted: set[str] = set()
        self._next: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._used: dict[str, datetime] = {}
        self._telling: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def knows(self, text: str | None) -> bool:
        """Whether a key of this id was seen to exist; its text may still be wrong."""
        return text is not None and find_key_id(text) in self._known

    def recall(self, text: str | None) -> Principal | None:
        """The caller, as far as it is known without asking; None when `identify` must ask.

        Raises Unauthenticated, one for all reasons, and TenantSuspended.
        """
        age = self._monotonic() - self._checked_at
        if age >= LONGEST_SECONDS:
            return None
        if age >= REFRESH_SECONDS and not self._turn.locked():
            self._join_next_look()
        return self._judge(text)

    async def identify(self, text: str | None) -> Principal:
        """The caller; raises what `recall` does, and Unavailable when nobody can be asked."""
        principal = self.recall(text)
        for _ in range(3):
            if principal is not None:
                return principal
            await self._look(text)
            principal = self._judge(text)
        raise Unavailable("the keys change too fast to be read; try again")

    async def tell_uses(self) -> None:
        """Write when keys were last used; what cannot be written now is written with the next."""
        self._telling = None
        used, self._used = self._used, {}
        try:
            await self._keys.touch(used)
        except Unavailable:
            logger.warning("the last uses of %d keys could not be written yet", len(used))
            self._used = used | self._used

    def _judge(self, text: str | None) -> Principal | None:
        """The caller by what is remembered; None when that says nothing about the key."""
        if self._open:
            return EVERYBODY
        key_id = None if text is None else find_key_id(text)
        if text is None or key_id is None:
            raise Unauthenticated("no valid key")
        epoch, record = self._known.get(key_id, (-1, None))
        if record is None and self._monotonic() - self._unknown.get(key_id, -inf) < LONGEST_SECONDS:
            admit(None, text, self._clock())
        if record is None or epoch != self._epoch:
            return None
        self._known.move_to_end(key_id)
        now = self._clock()
        principal = admit(record, text, now)
        self._note_use(key_id, now)
        return principal

    async def _look(self, text: str | None) -> None:
        """Wait for a look that begins now or later, and asks for this key, too."""
        key_id = None if text is None else find_key_id(text)
        if key_id is not None:
            self._wanted.add(key_id)
        # Whoever leaves takes nobody else's answer away.
        await asyncio.shield(self._join_next_look())

    def _join_next_look(self) -> asyncio.Task[None]:
        if self._next is None:
            self._next = asyncio.create_task(self._look_next())
            self._keep(self._next)
        return self._next

    async def _look_next(self) -> None:
        """One look at a time; those who come while it lasts go into the next together."""
        async with self._turn:
            wanted, self._wanted, self._next = self._wanted, set(), None
            began = self._monotonic()
            self._learn(await self._keys.find(sorted(wanted)), wanted, began)

    def _learn(self, found: KeysFound, wanted: set[str], began: float) -> None:
        self._epoch, self._checked_at = found.epoch, began
        if self._open and found.any_made:
            self._open = False
            logger.warning("a key was made: from now on every request needs one")
        for key_id in wanted:
            record = found.records.get(key_id)
            if record is None:
                self._known.pop(key_id, None)
                self._unknown[key_id] = began
            else:
                self._unknown.pop(key_id, None)
                self._known[key_id] = found.epoch, record
        while len(self._known) > KEPT_KEYS:
            self._known.popitem(last=False)
        while len(self._unknown) > KEPT_UNKNOWN:
            self._unknown.popitem(last=False)

    def _note_use(self, key_id: str, now: datetime) -> None:
        self._used[key_id] = now
        if self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(TELLING_SECONDS, self._begin_telling)

    def _begin_telling(self) -> None:
        self._keep(asyncio.get_running_loop().create_task(self.tell_uses()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        """Hold the task while it runs; whoever waits for it gets its error."""
        self._tasks.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Unavailable):
            logger.info("the stored keys could not be looked at: %s", error.code)
        elif error is not None:
            logger.error("a look at the stored keys failed", exc_info=error)
