"""Light load on a running service, which remembers what was acknowledged."""

import threading

import httpx

from tests.service.running import RunningService, wait_until

AGENT = {"agent_id": "chaos", "user_id": "monkey"}


class Writer:
    """Light load in a thread: remembers the id of every acknowledged write."""

    def __init__(self, service: RunningService) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[int] = []
        self._service = service
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        while not self._stop.wait(0.02):
            number += 1
            try:
                with self._service.client() as client:
                    body = AGENT | {"content": f"Order {number} was shipped"}
                    answer = client.post("/v1/memories", json=body)
            except httpx.HTTPError:
                self.refused.append(0)
                continue
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["id"])
            else:
                self.refused.append(answer.status_code)


def writes_go_on(writer: Writer, more: int = 20, seconds: float = 60) -> None:
    before = len(writer.acknowledged)
    wait_until(lambda: len(writer.acknowledged) >= before + more, seconds)


def all_are_there(service: RunningService, ids: list[str]) -> None:
    with service.client() as client:
        missing = [i for i in ids if client.get(f"/v1/memories/{i}").status_code != 200]
    assert missing == []
