"""HTTP by hand, for requests that no client library would send, and answers as they came."""

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

SECONDS = 25
CLOSE = b"Connection: close"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, list[str]]
    body: bytes

    def document(self) -> Any:
        return json.loads(self.body)


def exchange(port: int, request: bytes) -> Answer:
    """Send the bytes and read the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        # The answer may come, and the door be shut, before all is said.
        with suppress(ConnectionError):
            connection.sendall(request)
        with connection.makefile("rb") as received:
            return read_answer(received)


def read_answer(received: BinaryIO) -> Answer:
    """The next answer that is final; status 0 when the server only closed."""
    first = received.readline()
    if first.startswith(b"HTTP/1.1 100 "):
        received.readline()
        first = received.readline()
    headers: dict[str, list[str]] = {}
    while line := received.readline().strip().decode("latin-1"):
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    length = headers.get("content-length", ["-1"])[0]
    return Answer(int(first.split()[1]) if first else 0, headers, received.read(int(length)))


def head(method: str, target: bytes, *headers: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    """A first line and headers, as they are given."""
    lines = [method.encode() + b" " + target + b" " + version, *headers]
    return b"\r\n".join([*lines, b"", b""])


def ask(method: str, target: str | bytes, *headers: bytes) -> bytes:
    """A whole request without a body."""
    raw = target if isinstance(target, bytes) else target.encode()
    return head(method, raw, b"Host: localhost", CLOSE, *headers)


def send(method: str, target: str, body: bytes, *headers: bytes) -> bytes:
    """A whole request with a JSON body of the right length."""
    length = b"Content-Length: %d" % len(body)
    json_type = b"Content-Type: application/json"
    return ask(method, target, json_type, length, *headers) + body


def send_typed(target: str, body: bytes, *headers: bytes) -> bytes:
    """A POST whose headers are all the caller's, but the length."""
    return ask("POST", target, b"Content-Length: %d" % len(body), *headers) + body
