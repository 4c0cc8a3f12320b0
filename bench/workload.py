"""What the fleet asks and writes: many agents with many users, 5 to 50 memories in each scope."""

import json
import random
import time
from collections.abc import Iterator
from itertools import islice

import httpx

from bench.client import Request
from bench.reporting import say
from bench.texts import memories, questions

AGENTS, USERS = 20, 10
LEAST, MOST = 5, 50
TOP_K = 5
REPEATED_QUESTIONS = 50
SEARCHES_PER_WRITE = 3
SEED_OF_SCOPES = 3000
BATCH = 1000


def unique_searches(seed: int) -> Iterator[Request]:
    """Searches whose question was never asked before: each costs an inference."""
    dice = random.Random(seed)
    for text in questions(seed):
        yield search_for(text, pick_scope(dice))


def repeated_searches(seed: int) -> Iterator[Request]:
    """Searches with one of a few questions: the cache answers for the model."""
    dice = random.Random(seed)
    known = list(islice(questions(0), REPEATED_QUESTIONS))
    while True:
        yield search_for(dice.choice(known), pick_scope(dice))


def mixed(seed: int) -> Iterator[Request]:
    """Three unique searches for each unique write."""
    dice = random.Random(seed)
    contents = memories(seed)
    for number, search in enumerate(unique_searches(seed)):
        yield search
        if number % SEARCHES_PER_WRITE == SEARCHES_PER_WRITE - 1:
            yield write_of(next(contents), pick_scope(dice))


def writes(seed: int) -> Iterator[Request]:
    """Single writes of unique contents."""
    dice = random.Random(seed)
    for text in memories(seed):
        yield write_of(text, pick_scope(dice))


def search_for(text: str, scope: dict[str, str]) -> Request:
    """A search as a client sends it."""
    body = {**scope, "query": text, "top_k": TOP_K}
    return Request("POST", "/v1/memories/search", json.dumps(body).encode())


def write_of(text: str, scope: dict[str, str]) -> Request:
    """A write as a client sends it."""
    return Request("POST", "/v1/memories", json.dumps({**scope, "content": text}).encode())


def pick_scope(dice: random.Random) -> dict[str, str]:
    """One of the seeded scopes."""
    return _name_scope(dice.randrange(AGENTS), dice.randrange(USERS))


def list_seeds() -> list[dict[str, str]]:
    """The memories that stand in the scopes before anything is measured; always the same."""
    dice = random.Random(SEED_OF_SCOPES)
    contents = memories(SEED_OF_SCOPES)
    return [
        {**_name_scope(agent, user), "content": next(contents)}
        for agent in range(AGENTS)
        for user in range(USERS)
        for _ in range(dice.randint(LEAST, MOST))
    ]


def seed_scopes(url: str) -> int:
    """Store `list_seeds` through the batch API; returns how many. Raises on any refusal."""
    seeds = list_seeds()
    say(f"Seeding {len(seeds):,} memories in {AGENTS * USERS} scopes")
    started = time.monotonic()
    with httpx.Client(base_url=url, timeout=120) as client:
        for start in range(0, len(seeds), BATCH):
            store_batch(client, seeds[start : start + BATCH])
    say(f"Seeded in {time.monotonic() - started:.1f} s")
    return len(seeds)


def store_batch(client: httpx.Client, items: list[dict[str, str]]) -> None:
    """Send one batch; raises RuntimeError when a memory of it was refused."""
    answer = client.post("/v1/memories/batch", json={"memories": items})
    if not answer.is_success:
        raise RuntimeError(f"a batch was answered {answer.status_code}: {answer.text[:300]}")
    if failed := answer.json()["failed"]:
        raise RuntimeError(f"{failed} of {len(items)} memories were refused: {answer.text[:300]}")


def _name_scope(agent: int, user: int) -> dict[str, str]:
    return {"agent_id": f"agent-{agent}", "user_id": f"user-{user}"}
