"""Load a running service as memex's own test does: agents that store and search, for Locust.

The two runs are kept apart: realistic users by default, and saturating ones with --saturation.
"""

import logging
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import gevent
import httpx
from locust import HttpUser, between, constant_throughput, events, task

AGENTS, USERS, SEEDS = 20, 10, 5
SEEDING_THREADS = 32
TOP_K = 5

TEXTS = [
    "The user prefers short answers and dislikes long explanations.",
    "The deployment of the billing service failed because a migration was missing.",
    "The user asked for the refund policy of annual plans.",
    "Meetings with the design team take place on Tuesday mornings.",
    "The customer reported that the export to CSV drops the last column.",
    "Python is the language of the user's team; they use type annotations.",
]
QUESTIONS = [
    "How does the user like to be answered?",
    "What went wrong with the deployment?",
    "Which plan can be refunded?",
    "When does the design team meet?",
    "What is broken in the export?",
    "Which language does the team write?",
]

_numbers = count()

# One line for each seed would hide what Locust says.
logging.getLogger("httpx").setLevel(logging.WARNING)


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """The options that are ours."""
    parser.add_argument("--saturation", action="store_true", help="20 requests/s of each user")
    parser.add_argument("--unique-texts", action="store_true", help="never send a text twice")
    parser.add_argument(
        "--measure", type=int, default=0, help="end so many seconds after the last user started"
    )


@events.init.add_listener
def choose_users(environment: Any, **_: Any) -> None:
    """Run one kind of user only, unless a class was named."""
    options = environment.parsed_options
    if options is None or getattr(options, "user_classes", None):
        return
    wanted = MemexSaturationUser if options.saturation else MemexUser
    environment.user_classes = [wanted]


@events.test_start.add_listener
def seed(environment: Any, **_: Any) -> None:
    """Store what the searches will find; a service that refuses a seed ends the run."""
    bodies = [
        {**_scope(agent, user), "content": TEXTS[number % len(TEXTS)]}
        for agent in range(AGENTS)
        for user in range(USERS)
        for number in range(SEEDS)
    ]
    with (
        httpx.Client(base_url=environment.host, timeout=60) as client,
        ThreadPoolExecutor(SEEDING_THREADS) as pool,
    ):

        def store(body: dict[str, str]) -> httpx.Response:
            return client.post("/v1/memories", json=body)

        for answer in pool.map(store, bodies):
            if answer.status_code != 201:
                sys.exit(f"seeding was refused with {answer.status_code}: {answer.text[:200]}")


@events.init.add_listener
def measure(environment: Any, **_: Any) -> None:
    """With --measure, count only what happens once all users are there, then end."""
    seconds = getattr(environment.parsed_options, "measure", 0)
    if not seconds:
        return

    def start(**_: Any) -> None:
        environment.runner.stats.reset_all()
        gevent.spawn_later(seconds, environment.runner.quit)

    environment.events.spawning_complete.add_listener(start)


class AgentUser(HttpUser):
    """Searches three times for each write."""

    abstract = True
    host = "http://127.0.0.1:8000"

    @task(3)
    def search(self) -> None:
        """Ask about one of the seeded scopes."""
        body = {**_any_scope(), "query": self._vary(random.choice(QUESTIONS)), "top_k": TOP_K}
        self.client.post("/v1/memories/search", json=body)

    @task(1)
    def write(self) -> None:
        """Store a memory in one of the seeded scopes."""
        body = {**_any_scope(), "content": self._vary(random.choice(TEXTS))}
        self.client.post("/v1/memories", json=body)

    def _vary(self, text: str) -> str:
        if not self.environment.parsed_options.unique_texts:
            return text
        return f"{text} Case {next(_numbers)}, {random.getrandbits(64):x}."


class MemexUser(AgentUser):
    """Thinks for 0.1 to 0.3 seconds between requests."""

    wait_time = between(0.1, 0.3)


class MemexSaturationUser(AgentUser):
    """Wants 20 requests each second."""

    wait_time = constant_throughput(20)


def _scope(agent: int, user: int) -> dict[str, str]:
    return {"agent_id": f"load-agent-{agent}", "user_id": f"load-user-{user}"}


def _any_scope() -> dict[str, str]:
    return _scope(random.randrange(AGENTS), random.randrange(USERS))
