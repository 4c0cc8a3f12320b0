"""What crosses a process on the hot calls, as bytes that are cheap to write and to read.

Serve pickles arguments with cloudpickle, which asks Python about every object, and frozen
dataclasses and UUIDs pickle field by field in Python: ten times what a search costs otherwise.
"""

import copyreg
import io
import pickle
from collections.abc import Callable
from operator import attrgetter
from typing import Any
from uuid import UUID

from serve_app.core.identity import make_uuid
from serve_app.core.keys import KeyRecord, KeysFound
from serve_app.core.making import maker_of
from serve_app.core.memory import Chunk, EmbeddedMemory, Memory, Scope
from serve_app.core.principal import Principal
from serve_app.core.profiles import FusionWeights
from serve_app.core.ranking import Candidate, Hit, RankingPolicy, Signals
from serve_app.core.rate_limits import RateLimit
from serve_app.core.reranking import RerankQuestion
from serve_app.core.search import FusedSearch, QuestionTime, VectorSearch
from serve_app.core.token_window import Settlement, TokenGrant, TokenRequest

PROTOCOL = 5

PLAIN = (
    *(Candidate, Chunk, EmbeddedMemory, Memory, RankingPolicy, Scope),
    RerankQuestion,
    *(FusedSearch, FusionWeights, Hit, QuestionTime, Signals, VectorSearch),
    *(KeyRecord, KeysFound, Principal),
    *(RateLimit, Settlement, TokenGrant, TokenRequest),
)
"""Frozen dataclasses with slots: rebuilt from their fields in order, without their checks."""


def _reduce_plain(kind: type[Any]) -> Callable[[Any], tuple[Any, tuple[Any, ...]]]:
    fields, maker = attrgetter(*kind.__slots__), _name_maker(kind)
    return lambda value: (maker, fields(value))


def _name_maker(kind: type[Any]) -> Callable[..., Any]:
    """The maker of a noun, under a name of this module by which pickle finds it."""
    maker: Any = maker_of(kind)
    maker.__module__, maker.__qualname__ = __name__, f"make_{kind.__name__}"
    globals()[maker.__qualname__] = maker
    return maker


def _reduce_uuid(value: UUID) -> tuple[Callable[[int], UUID], tuple[int]]:
    return make_uuid, (value.int,)


REDUCERS = {UUID: _reduce_uuid, **{kind: _reduce_plain(kind) for kind in PLAIN}}


class _Pickler(pickle.Pickler):
    dispatch_table = copyreg.dispatch_table | REDUCERS


def pack(value: Any) -> bytes:
    """The bytes of lists of nouns, arrays and errors."""
    file = io.BytesIO()
    _Pickler(file, PROTOCOL).dump(value)
    return file.getvalue()


def pack_plain(value: Any) -> bytes:
    """The bytes of lists and tuples of numbers, strings, bytes and times, nothing else."""
    return pickle.dumps(value, PROTOCOL)


def unpack(packed: bytes) -> Any:
    """What `pack` or `pack_plain` was given; only bytes of our own replicas come here."""
    return pickle.loads(packed)
