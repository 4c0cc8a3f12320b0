"""What a ranking profile costs one caller: decay, hybrid and conversation side by side, in turns.

The contents are sentences with words in common, in sessions of twenty; the vectors are random, for
only their number counts here. Every question is new to the service.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated
from urllib.parse import urlsplit

import numpy as np
import typer
from pydantic import SecretStr

from bench.reporting import RESULTS, Result, say, tabulate, write_result
from bench.running import Service, open_service
from bench.texts import memories, questions
from serve_app.core.identity import uuid7
from serve_app.core.memory import Chunk, EmbeddedMemory, Kind, Memory, Scope
from serve_app.settings import load_settings
from serve_app.storage.connection import open_pool
from serve_app.storage.memories import PostgresMemories

PROFILES = ("decay", "hybrid", "conversation")
AGENT = "bench"
DIMENSION = 384
BATCH = 250
PER_SESSION = 20
WARM_UP = 20
MODEL = load_settings().stored_model
START = datetime(2026, 1, 1, tzinfo=UTC)

QUESTIONS = {"plain": "", "common words": " When was that wanted: last week, or in winter?"}
"""What is asked beyond a question whose words stand in a fiftieth to a twentieth of the memories
each: words that all of them hold, many of them hold, and a question of time."""


def main(
    sizes: Annotated[str, typer.Option(help="memories in a scope, commas between")] = "700,50000",
    rounds: Annotated[int, typer.Option(help="questions to each profile, in turns")] = 200,
    results: Annotated[Path, typer.Option(help="folder for the JSON")] = RESULTS,
) -> None:
    """p50 and p95 of each profile, end to end, by memories in scope."""
    rows: list[Result] = []
    with open_service(summarization_enabled="false") as service:
        asked = questions(41)
        for size in (int(part) for part in sizes.split(",")):
            asyncio.run(fill_scope(service, size))
            for kind in QUESTIONS:
                rows += measure(service, size, rounds, (kind, asked))
    say("\n" + tabulate(rows))
    write_result("profiles", {"benchmark": "profiles", "rows": rows}, results)


def measure(
    service: Service, size: int, rounds: int, questioning: tuple[str, Iterator[str]]
) -> list[Result]:
    """One row a profile; each round asks all of them, so that what else runs weighs on all."""
    kind, asked = questioning
    connection = HTTPConnection(urlsplit(service.url).netloc, timeout=60)
    taken: dict[str, list[float]] = {profile: [] for profile in PROFILES}
    for turn in range(WARM_UP + rounds):
        for profile in PROFILES:
            milliseconds = ask(connection, size, profile, next(asked) + QUESTIONS[kind])
            if turn >= WARM_UP:
                taken[profile].append(milliseconds)
    connection.close()
    plain = median(taken["decay"])
    return [
        {
            "memories": size,
            "questions": kind,
            "profile": profile,
            "p50_ms": round(median(times), 2),
            "p95_ms": round(quantiles(times, n=20)[-1], 2),
            "of_decay": round(median(times) / plain, 2),
        }
        for profile, times in taken.items()
    ]


def ask(connection: HTTPConnection, size: int, profile: str, text: str) -> float:
    """Milliseconds of one search; raises RuntimeError unless it finds ten."""
    scope = {"agent_id": AGENT, "user_id": f"user-{size}"}
    body = json.dumps({**scope, "query": text, "top_k": 10, "profile": profile})
    started = time.perf_counter()
    connection.request("POST", "/v1/memories/search", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    milliseconds = (time.perf_counter() - started) * 1e3
    if answer.status != 200 or json.loads(content)["total"] != 10:
        raise RuntimeError(f"a search was answered {answer.status}: {content[:300]!r}")
    return milliseconds


async def fill_scope(service: Service, size: int) -> None:
    """Store `size` memories past the API."""
    assert service.database_url is not None
    settings = load_settings(
        database_url=SecretStr(service.database_url), db_min_pool_size=1, db_command_timeout=300.0
    )
    say(f"Storing {size:,} memories")
    pool = await open_pool(settings)
    store = PostgresMemories(pool, settings)
    random = np.random.default_rng(size)
    contents = islice(memories(42), size)
    for start in range(0, size, BATCH):
        part = list(islice(contents, BATCH))
        await store.add(_embed(part, start, Scope(1, AGENT, f"user-{size}"), random))
    await pool.close()


def _embed(
    contents: Sequence[str], start: int, scope: Scope, random: np.random.Generator
) -> list[EmbeddedMemory]:
    vectors = random.standard_normal((len(contents), DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made: list[EmbeddedMemory] = []
    for number, (content, vector) in enumerate(zip(contents, vectors, strict=True), start):
        at = START + timedelta(minutes=number)
        memory = Memory(uuid7(at, random.bytes(10)), scope, content, Kind.EPISODIC, 0.5, at, at, at)
        memory = replace(memory, session_id=f"session-{number // PER_SESSION}")
        chunk = Chunk(0, len(content), vector)
        made.append(EmbeddedMemory(memory, (chunk,), MODEL))
    return made
