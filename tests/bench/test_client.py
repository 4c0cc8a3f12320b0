"""The client against a small server of its own, in one process."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from bench import client
from bench.client import Load, Request, open_client
from bench.measured import Answer, Measured


def gets(seed: int) -> Iterator[Request]:
    while True:
        yield Request("GET", f"/{seed}")


def posts(seed: int) -> Iterator[Request]:
    while True:
        yield Request("POST", "/", b'{"seed": %d}' % seed)


class Server:
    """Answers as its test wants; counts connections and what it read."""

    def __init__(
        self,
        answer: bytes,
        delay: float = 0.0,
        answers_each: int | None = None,
        patience: float | None = None,
    ) -> None:
        self.answer, self.delay, self.answers_each = answer, delay, answers_each
        self.patience = patience
        self.connections = 0
        self.most = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.most = max(self.most, self.connections)
        answered = 0
        try:
            while answered != self.answers_each:
                async with asyncio.timeout(self.patience):
                    head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                if b"Content-Length: " in head:
                    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                    self.bodies.append(await reader.readexactly(length))
                await asyncio.sleep(self.delay)
                writer.write(self.answer)
                answered += 1
        except (asyncio.IncompleteReadError, ConnectionResetError, TimeoutError):
            pass
        finally:
            self.connections -= 1
            writer.close()


@asynccontextmanager
async def listen(server: Server) -> AsyncIterator[str]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
REFUSED = b"HTTP/1.1 503 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


async def run(load: Load) -> Measured:
    return await client.run_here(load)


async def test_a_closed_loop_keeps_each_caller_busy_and_no_more() -> None:
    server = Server(OK)
    async with listen(server) as url:
        measured = await run(Load(url, posts, 0.3, callers=3, seed=5))
    assert server.most == 3
    assert measured.count == len(server.bodies) > 3
    assert set(server.bodies) == {b'{"seed": 5}'}
    assert (measured.errors, measured.lost) == (0, 0)


async def test_chunked_answers_are_read_to_their_end() -> None:
    async with listen(Server(CHUNKED)) as url:
        measured = await run(Load(url, gets, 0.2))
    assert measured.count > 1
    assert measured.errors == 0


async def test_refusals_are_no_successes() -> None:
    async with listen(Server(REFUSED)) as url:
        measured = await run(Load(url, gets, 0.2))
    assert measured.describe()["statuses"] == {"503": measured.count}
    assert measured.rate == 0
    assert measured.errors == measured.count


async def test_a_connection_that_breaks_is_an_error_and_is_replaced() -> None:
    async with listen(Server(b"", answers_each=1)) as url:
        measured = await run(Load(url, gets, 0.3))
    assert measured.count > 1
    assert set(measured.statuses.tolist()) == {0}


async def test_an_open_loop_keeps_its_rate_and_counts_the_wait_of_a_slow_server() -> None:
    server = Server(OK, delay=0.3)
    async with listen(server) as url:
        measured = await run(Load(url, gets, 0.5, rate=400))
    # More than the 64 connections that are there at first: nobody waits for an answer to send.
    assert measured.count == 200
    assert server.most > 64
    assert measured.latencies.min() >= 0.3


async def test_an_open_loop_asks_nothing_of_connections_that_were_closed_meanwhile() -> None:
    async with listen(Server(OK, patience=0.05)) as url:
        measured = await run(Load(url, gets, 0.8, rate=5))
        assert set(measured.statuses.tolist()) == {200}


def test_a_load_runs_in_a_process_of_its_own() -> None:
    with open_client() as one:
        # Nobody listens on the discard port.
        future = one.start(Load("http://127.0.0.1:9", gets, 0.1))
        assert isinstance(future.exception(), OSError)


def test_measured_reads_rates_and_percentiles_of_what_succeeded() -> None:
    answers = [Answer(0.0, 0.1, 200), Answer(0.5, 0.3, 201), Answer(0.6, 9.0, 503)]
    measured = Measured.of([*answers, Answer(0.9, 0.2, 200)], seconds=1.0, lost=1)
    # The last one came after the end.
    assert measured.rate == 2.0
    assert measured.errors == 2
    assert measured.milliseconds(50) == 200.0
    assert measured.milliseconds(100, accepted_only=False) == 9000.0


def test_nothing_measured_is_no_crash() -> None:
    assert Measured.of([], 1.0, 0).describe()["requests"] == 0
