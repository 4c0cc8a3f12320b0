"""Frames arrive whole and in order, however the bytes are cut; nonsense ends the connection."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.frames import HEAD, LONGEST_BODY, FrameProtocol, Kind

Frame = tuple[Kind, int, bytes]


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.is_aborted = self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_aborted = True

    def close(self) -> None:
        self.is_closed = True


class End(FrameProtocol):
    """Keeps what comes, and refuses a body of b'no'."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Frame] = []
        self.transport: Any = Transport()
        self.connection_made(self.transport)

    def take(self, kind: Kind, number: int, body: bytes) -> None:
        if body == b"no":
            raise ValueError("no")
        self.taken.append((kind, number, body))


def write(*frames: Frame) -> bytes:
    end = End()
    for frame in frames:
        end.send(*frame)
    return end.transport.written


FRAMES = st.lists(
    st.tuples(
        st.sampled_from(Kind), st.integers(0, 2**64 - 1), st.binary(max_size=40).map(b"+".__add__)
    ),
    max_size=6,
)


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 400), max_size=8))
def test_frames_arrive_however_they_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    data, end = write(*frames), End()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, stop in pairwise(edges):
        end.data_received(data[start:stop])
    assert end.taken == frames
    assert not end.transport.is_aborted


@pytest.mark.parametrize(
    "nonsense",
    [
        HEAD.pack(LONGEST_BODY + 1, 1, Kind.CALL),
        HEAD.pack(0, 1, 99),
        write((Kind.CALL, 1, b"no")),
    ],
    ids=["a body that is too long", "a kind that is none", "what the end refuses"],
)
def test_nonsense_ends_the_connection(nonsense: bytes) -> None:
    end = End()
    end.data_received(nonsense)
    assert end.transport.is_aborted
    assert not end.taken


def test_what_is_sent_after_the_end_is_lost() -> None:
    end = End()
    end.connection_lost(None)
    end.send(Kind.CALL, 1, b"late")
    end.close()
    assert end.transport.written == b""


def test_nothing_is_read_after_the_end() -> None:
    class Closing(End):
        def take(self, kind: Kind, number: int, body: bytes) -> None:
            super().take(kind, number, body)
            self.connection_lost(None)

    end = Closing()
    end.data_received(write((Kind.CALL, 1, b"a"), (Kind.CALL, 2, b"b")))
    assert [number for _, number, _ in end.taken] == [1]
