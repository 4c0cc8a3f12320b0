"""What an evaluation asks of a running service, over HTTP as any other caller."""

import random
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.corpora import Item

BATCH = 250
TIMEOUT_SECONDS = 120.0
BUSY = frozenset({429, 503})
ATTEMPTS = 10
LONGEST_WAIT_SECONDS = 30.0

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

ReportProgress = Callable[[int], object]
"""Told how many more are done."""


@dataclass(frozen=True, slots=True)
class MemoryClient:
    """Speaks to one service as one agent of its own, so that no other memory is in the way.

    At most `concurrency` questions are in flight; where the service is busy they wait their turn.
    """

    http: httpx.Client
    agent_id: str
    concurrency: int = 1
    sleep: Callable[[float], None] = time.sleep

    def load(
        self, user_id: str, items: Sequence[Item], sessions: bool, progress: ReportProgress
    ) -> dict[str, str]:
        """Store the items in their order; the ids of the items by the ids of their memories."""
        stored: dict[str, str] = {}
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            drafts = [self._scope(user_id) | _describe(item, sessions) for item in batch]
            stored.update(zip(self._store(drafts), (item.id for item in batch), strict=True))
            progress(len(batch))
        return stored

    def search_all(
        self, user_id: str, searches: Sequence[dict[str, Any]], progress: ReportProgress
    ) -> list[list[dict[str, Any]]]:
        """The results of each search as the API gives them, best first, in order."""

        def search(fields: dict[str, Any]) -> list[dict[str, Any]]:
            body = self._scope(user_id) | fields
            results = self._ask("POST", "/v1/memories/search", json=body).json()["results"]
            progress(1)
            return results

        return self._spread(search, searches)

    def forget(self, identifiers: Sequence[str], progress: ReportProgress) -> None:
        """Delete memories, one request each; one that is gone already is no error."""

        def delete(identifier: str) -> None:
            asked = {"agent_id": self.agent_id}
            self._ask("DELETE", f"/v1/memories/{identifier}", missing_is_fine=True, params=asked)
            progress(1)

        self._spread(delete, identifiers)

    def _store(self, drafts: list[dict[str, Any]]) -> list[str]:
        # One key for every attempt: an answer that was lost must not store the batch twice.
        headers = {"Idempotency-Key": str(uuid4())}
        path = "/v1/memories/batch"
        answer = self._ask("POST", path, json={"memories": drafts}, headers=headers).json()
        refused = [result["error"] for result in answer["results"] if "memory" not in result]
        if refused:
            raise ConfigurationError(f"{len(refused)} memories were refused, first: {refused[0]}")
        return [result["memory"]["id"] for result in answer["results"]]

    def _scope(self, user_id: str) -> dict[str, Any]:
        return {"agent_id": self.agent_id, "user_id": user_id}

    def _spread(self, call: Callable[[Asked], Answer], arguments: Sequence[Asked]) -> list[Answer]:
        with ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(call, arguments))

    def _ask(
        self, method: str, path: str, missing_is_fine: bool = False, **request: Any
    ) -> httpx.Response:
        attempts = Retrying(
            retry=retry_if_result(_is_busy),
            wait=_choose_wait,
            stop=stop_after_attempt(ATTEMPTS),
            sleep=self.sleep,
            retry_error_callback=_give_last,
        )
        answer: httpx.Response = attempts(self.http.request, method, path, **request)
        if not answer.is_success and not (missing_is_fine and answer.status_code == 404):
            raise ConfigurationError(
                f"{method} {answer.request.url} answered {answer.status_code}: {answer.text[:500]}"
            )
        return answer


@contextmanager
def open_client(url: str, key: str | None = None, concurrency: int = 1) -> Generator[MemoryClient]:
    """A client under an agent id never used before; a dead service is a ConfigurationError."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, headers=headers) as http:
        try:
            yield MemoryClient(http, f"evaluation-{uuid4()}", concurrency)
        except httpx.TransportError as error:
            raise ConfigurationError(
                f"no answer from {url} ({error!r}): start it with `fleetmem up`, or name its --url"
            ) from error


def _describe(item: Item, sessions: bool) -> dict[str, Any]:
    # Episodic ones would be folded while they are asked for.
    draft = {"content": item.text, "memory_type": "semantic"}
    if item.occurred_at:
        draft["occurred_at"] = item.occurred_at.isoformat()
    if item.session and sessions:
        draft["session_id"] = item.session
    return draft


def _is_busy(answer: httpx.Response) -> bool:
    return answer.status_code in BUSY


def _choose_wait(state: RetryCallState) -> float:
    """What the service asks for, or a second, doubled each time; with jitter, in seconds."""
    answer: httpx.Response = _give_last(state)
    asked = answer.headers.get("Retry-After", "")
    seconds = float(asked) if asked.isdigit() else 2.0 ** (state.attempt_number - 1)
    # Callers that were refused together must not come back together.
    return min(seconds, LONGEST_WAIT_SECONDS) * random.uniform(1, 1.5)  # noqa: S311  # no secret


def _give_last(state: RetryCallState) -> httpx.Response:
    assert state.outcome is not None
    return state.outcome.result()
