"""Frames of a connection between two replicas: a length, the number of a call, a kind, a body."""

import asyncio
from abc import ABC, abstractmethod
from enum import IntEnum
from struct import Struct
from typing import cast

HEAD = Struct("!IQB")
"""Bytes of the body, the call's number, the kind; in network order."""

LONGEST_BODY = 256 * 2**20
"""Bytes; the lists of the coalescer are a sixtieth of it."""


class Kind(IntEnum):
    """What a frame says."""

    HELLO = 0
    WELCOME = 1
    CALL = 2
    ANSWER = 3
    ERROR = 4
    FAULT = 5
    CANCEL = 6
    LEAVING = 7


class FrameProtocol(asyncio.Protocol, ABC):
    """One end of a connection; what comes is handed to `take` frame by frame."""

    def __init__(self) -> None:
        self._read = bytearray()
        self._transport: asyncio.Transport | None = None

    @abstractmethod
    def take(self, kind: Kind, number: int, body: bytes) -> None:
        """Called with each frame, in order; raises ValueError at what nobody should send."""

    def longest_body(self) -> int:
        """Bytes that the next body may have."""
        return LONGEST_BODY

    def send(self, kind: Kind, number: int = 0, body: bytes = b"") -> None:
        """Write a frame; one to a closed connection is lost."""
        if self._transport is not None:
            self._transport.write(HEAD.pack(len(body), number, kind) + body)

    def close(self) -> None:
        """End the connection once all is written."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        # uvloop's transports are no subclass of it, but do all of it.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol; who sends nonsense is disconnected."""
        self._read += data
        try:
            while self._transport is not None and (frame := self._next_frame()):
                self.take(*frame)
        except ValueError:
            if self._transport is not None:
                self._transport.abort()

    def _next_frame(self) -> tuple[Kind, int, bytes] | None:
        if len(self._read) < HEAD.size:
            return None
        length, number, kind = HEAD.unpack_from(self._read)
        if length > self.longest_body():
            raise ValueError("the frame is too long")
        end = HEAD.size + length
        if len(self._read) < end:
            return None
        body = bytes(memoryview(self._read)[HEAD.size : end])
        del self._read[:end]
        return Kind(kind), number, body
