"""A light HTTP/1.1 client in a process of its own: closed loop, or open loop at a fixed rate.

The closed loop has N callers, each of which asks again once it has its answer. The open loop sends
at its rate whatever the answers do, and counts a latency from the moment at which the request
should have left: a server that stalls can't hide it (no coordinated omission).
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from urllib.parse import urlsplit

import uvloop

from bench.connection import BROKEN, Connection
from bench.measured import Answer, Measured

DRAIN_SECONDS = 30.0
OPEN_LOOP_CONNECTIONS = 4096
RECONNECT_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: bytes of a JSON body, or none for a GET, and the caller's key, if any."""

    method: str
    path: str
    body: bytes = b""
    key: str = ""

    def encode(self, host: str) -> bytes:
        """The request as it stands on the wire."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: {host}\r\n"
        if self.key:
            head += f"Authorization: Bearer {self.key}\r\n"
        if self.body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
        return head.encode() + b"\r\n" + self.body


RequestSource = Callable[[int], Iterator[Request]]
"""A module-level function: the endless requests of a seed; another seed gives other texts."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to send where: `callers` in a closed loop, or `rate` per second in an open one."""

    url: str
    source: RequestSource
    seconds: float
    callers: int = 1
    rate: float | None = None
    seed: int = 0


class LoadClient:
    """One child process that runs loads one after another, so that its CPU is not ours."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def run(self, load: Load) -> Measured:
        """Return when the load has ended; raises what went wrong in the child."""
        return self.start(load).result()

    def start(self, load: Load) -> Future[Measured]:
        """Begin a load; one that runs already goes first."""
        return self._pool.submit(run_load, load)


@contextmanager
def open_client() -> Generator[LoadClient]:
    """A client whose process is up before the first load, and gone afterwards."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(time.monotonic).result()
        yield LoadClient(pool)


def run_load(load: Load) -> Measured:
    """Run a load in this process."""
    return uvloop.run(run_here(load))


async def run_here(load: Load) -> Measured:
    """Run a load in this event loop."""
    runner = _OpenLoop(load, load.rate) if load.rate else _ClosedLoop(load)
    return await runner.run()


class _Loop(ABC):
    """Connections, and the answers that they bring; the kind of loop says when to send."""

    def __init__(self, load: Load) -> None:
        self._load = load
        address = urlsplit(load.url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._requests = load.source(load.seed)
        # A loop of uvloop tells the time in whole milliseconds.
        self._clock = time.monotonic
        self._started = self._ends = 0.0
        self._answers: list[Answer] = []
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Future[None]] = set()

    async def run(self) -> Measured:
        """Send until the seconds are over, then wait for what is out still."""
        await self._prepare()
        self._started = self._clock()
        self._ends = self._started + self._load.seconds
        await self._send()
        deadline = self._ends + DRAIN_SECONDS
        # A condition over sockets and queues: to look a hundred times a second is exact enough.
        while self._is_waiting() and self._clock() < deadline:  # noqa: ASYNC110 (no one event)
            await asyncio.sleep(0.01)
        lost = sum(connection.is_busy for connection in self._connections)
        for connection in self._connections:
            connection.close()
        return Measured.of(self._answers, self._load.seconds, lost)

    @abstractmethod
    async def _prepare(self) -> None:
        """Open the first connections."""

    @abstractmethod
    async def _send(self) -> None:
        """Send until the seconds are over."""

    def _is_waiting(self) -> bool:
        return any(connection.is_busy for connection in self._connections)

    async def _connect(self) -> Connection:
        connection = await Connection.open(self._host, self._port, self._receive)
        self._connections.add(connection)
        return connection

    def _post(self, connection: Connection, due: float) -> None:
        request = next(self._requests)
        connection.send(request.encode(f"{self._host}:{self._port}"), due)

    def _receive(self, connection: Connection, status: int, due: float) -> None:
        """Called with each answer; status 0 is a connection that broke."""
        now = self._clock()
        self._answers.append(Answer(due - self._started, now - due, status))
        if connection.is_usable:
            self._continue(connection)
        else:
            self._connections.discard(connection)
            self._begin(self._replace())

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        """Run beside the loop; the loop forgets tasks that nobody holds."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace(self) -> None:
        """Connect anew, patiently: a server that is gone must not be hammered."""
        while self._clock() < self._ends:
            await asyncio.sleep(RECONNECT_SECONDS)
            try:
                connection = await self._connect()
            except OSError:
                continue
            self._continue(connection)
            return

    @abstractmethod
    def _continue(self, connection: Connection) -> None:
        """Use a connection that is new, or has its answer."""


class _ClosedLoop(_Loop):
    async def _prepare(self) -> None:
        for _ in range(self._load.callers):
            await self._connect()

    async def _send(self) -> None:
        for connection in tuple(self._connections):
            self._post(connection, self._clock())
        await asyncio.sleep(self._ends - self._clock())

    def _continue(self, connection: Connection) -> None:
        if (now := self._clock()) < self._ends:
            self._post(connection, now)


class _OpenLoop(_Loop):
    def __init__(self, load: Load, rate: float) -> None:
        super().__init__(load)
        self._period = 1 / rate
        self._idle: deque[Connection] = deque()
        self._due: deque[float] = deque()
        self._opening = 0

    async def _prepare(self) -> None:
        for _ in range(min(64, OPEN_LOOP_CONNECTIONS)):
            self._idle.append(await self._connect())

    async def _send(self) -> None:
        number = 0
        while (due := self._started + number * self._period) < self._ends:
            if (wait := due - self._clock()) > 0:
                await asyncio.sleep(wait)
            self._due.append(due)
            self._dispatch()
            number += 1

    def _dispatch(self) -> None:
        while self._due and self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                self._post(connection, self._due.popleft())
            else:  # closed by the server while nothing was asked of it
                self._connections.discard(connection)
        room = OPEN_LOOP_CONNECTIONS - len(self._connections) - self._opening
        if len(self._due) > self._opening and room > 0:
            self._opening += 1
            self._begin(self._add())

    async def _add(self) -> None:
        try:
            connection = await self._connect()
        except OSError:
            self._answers.append(Answer(self._clock() - self._started, 0.0, BROKEN))
            if self._due:
                self._due.popleft()
            return
        finally:
            self._opening -= 1
        self._continue(connection)

    def _continue(self, connection: Connection) -> None:
        self._idle.append(connection)
        self._dispatch()

    def _is_waiting(self) -> bool:
        return bool(self._due) or super()._is_waiting()
