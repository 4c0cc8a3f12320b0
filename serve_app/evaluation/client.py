"""What an evaluation asks of a running service, over HTTP as any other caller."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.locomo import Conversation, Turn

BATCH = 500
TIMEOUT_SECONDS = 120.0

Progress = Callable[[int], object]
"""Told how many more are done."""


@dataclass(frozen=True, slots=True)
class MemoryClient:
    """Speaks to one service as one agent of its own, so that no other memory is in the way."""

    http: httpx.Client
    agent_id: str

    def load(self, conversation: Conversation, progress: Progress) -> dict[str, Turn]:
        """Store every turn; the turns by the id of their memory."""
        stored: dict[str, Turn] = {}
        for start in range(0, len(conversation.turns), BATCH):
            turns = conversation.turns[start : start + BATCH]
            stored.update(zip(self._store(conversation.name, turns), turns, strict=True))
            progress(len(turns))
        return stored

    def search(
        self, conversation: str, query: str, top_k: int, options: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The results as the API gives them, best first."""
        body = {"query": query, "top_k": top_k, **self._scope(conversation), **options}
        return self._ask("POST", "/v1/memories/search", json=body)["results"]

    def forget(self, identifiers: Sequence[str], progress: Progress) -> None:
        """Delete memories, one request each; one that is gone already is no error."""
        for identifier in identifiers:
            path = f"/v1/memories/{identifier}"
            answer = self.http.delete(path, params={"agent_id": self.agent_id})
            if answer.status_code != 404:
                _require_success(answer)
            progress(1)

    def _store(self, conversation: str, turns: Sequence[Turn]) -> list[str]:
        items = [
            {
                **self._scope(conversation),
                "content": turn.text,
                "occurred_at": turn.occurred_at.isoformat(),
            }
            for turn in turns
        ]
        answer = self._ask("POST", "/v1/memories/batch", json={"memories": items})
        refused = [result["error"] for result in answer["results"] if "memory" not in result]
        if refused:
            raise ConfigurationError(f"{len(refused)} turns were refused, first: {refused[0]}")
        return [result["memory"]["id"] for result in answer["results"]]

    def _scope(self, conversation: str) -> dict[str, str]:
        return {"agent_id": self.agent_id, "user_id": conversation}

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = self.http.request(method, path, **request)
        _require_success(answer)
        return answer.json()


@contextmanager
def open_client(url: str) -> Generator[MemoryClient]:
    """A client under an agent id never used before; a dead service is a ConfigurationError."""
    with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS) as http:
        try:
            yield MemoryClient(http, f"evaluation-{uuid4()}")
        except httpx.TransportError as error:
            raise ConfigurationError(
                f"no answer from {url} ({error!r}): start it with `fleetmem up`, or name its --url"
            ) from error


def _require_success(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise ConfigurationError(
            f"{answer.request.method} {answer.request.url} answered {answer.status_code}: "
            f"{answer.text[:500]}"
        )
