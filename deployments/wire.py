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

import numpy as np

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
    *(FusedSearch, FusionWeights, Hit, QuestionTime, Signals),
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


def _reduce_search(search: VectorSearch) -> tuple[Callable[..., VectorSearch], tuple[Any, ...]]:
    """In one piece: nested nouns and an array cost three times as much."""
    scope, policy = _scope_fields(search.scope), _policy_fields(search.policy)
    rest = search.top_k, search.now, search.kind, search.model
    return make_search, (scope, search.vector.tobytes(), policy, *rest)


def make_search(
    scope: tuple[Any, ...], vector: bytes, policy: tuple[Any, ...], *rest: Any
) -> VectorSearch:
    """What `_reduce_search` took apart; the vector is read-only."""
    top_k, now, kind, model = rest
    array = np.frombuffer(vector, np.float32)
    return _make_vector_search(
        _make_scope(*scope), array, top_k, _make_policy(*policy), now, kind, model
    )


_scope_fields = attrgetter(*Scope.__slots__)
_policy_fields = attrgetter(*RankingPolicy.__slots__)
_make_scope, _make_policy = maker_of(Scope), maker_of(RankingPolicy)
_make_vector_search = maker_of(VectorSearch)

REDUCERS = {
    UUID: _reduce_uuid,
    **{kind: _reduce_plain(kind) for kind in PLAIN},
    VectorSearch: _reduce_search,
}


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
