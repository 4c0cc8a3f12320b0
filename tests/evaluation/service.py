"""Stands in for the HTTP API: keeps what is stored, and finds it in reverse."""

import json
from collections.abc import Callable
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx

from serve_app.evaluation.client import MemoryClient


class Service:
    """`refusals` are answered first, one to each request, whatever it asks."""

    def __init__(self, *refusals: httpx.Response) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.stored: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.requests: list[httpx.Request] = []
        self.refusals = list(refusals)
        self.lock = Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            self.requests.append(request)
            return self.refusals.pop(0) if self.refusals else self._answer(request)

    def client(self, sleep: Callable[[float], None] = lambda seconds: None) -> MemoryClient:
        http = httpx.Client(base_url="http://service", transport=httpx.MockTransport(self))
        return MemoryClient(http, "agent", 2, sleep)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = urlsplit(str(request.url)).path
        if request.method == "DELETE":
            found = self.kept.pop(path.rsplit("/", 1)[1], None)
            return httpx.Response(204 if found else 404)
        body = json.loads(request.content)
        if path.endswith("/batch"):
            return httpx.Response(200, json={"results": [self._store(m) for m in body["memories"]]})
        self.asked.append(body)
        scope = [
            {"id": key, "content": item["content"], "score": 0.5, "explanation": SIGNALS}
            for key, item in reversed(self.kept.items())
            if item["user_id"] == body["user_id"]
        ]
        return httpx.Response(200, json={"results": scope[: body["top_k"]]})

    def _store(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["content"] == "unwanted":
            return {"status": 422, "error": {"code": "invalid_input"}}
        key = f"memory-{len(self.stored)}"
        self.stored.append(item)
        self.kept[key] = item
        return {"status": 201, "memory": {"id": key}}


SIGNALS = {
    "signals": {
        name: {"raw": 0.5, "weighted": 0.25}
        for name in ("similarity", "words", "date", "neighbour", "session")
    }
}
