"""The remote adapters keep the contract of their ports, over calls that pickle both ways."""

import asyncio
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ray.exceptions import ActorDiedError

from deployments.handles import QUERIES, RemoteEmbedder, RemoteKeys, RemoteMemories
from deployments.key_methods import KeyMethods
from deployments.once_handle import RemoteOnce
from deployments.parts import DOCUMENTS_PER_CALL, PARTS
from deployments.wire import pack, pack_plain, unpack
from serve_app.asgi import create_asgi_app
from serve_app.core.errors import EmbeddingUnavailable, FleetmemError, Overloaded, Unavailable
from serve_app.core.writing import IdempotencyKey, Written
from serve_app.embedding.cache import CachedEmbedder
from serve_app.metering import PrometheusMeter
from serve_app.operations.ports import Outcomes
from serve_app.settings import Settings
from tests.api.conftest import open_client
from tests.contracts.keys_contract import KeysContract
from tests.contracts.memories_contract import MemoriesContract
from tests.contracts.once_contract import KEY, OnceContract
from tests.contracts.samples import embed, sample
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.found_rows import asked_search, found_row
from tests.fakes.keys import InMemoryKeys
from tests.fakes.memories import InMemoryMemories
from tests.fakes.meter import RecordingMeter
from tests.fakes.models import OneModel
from tests.fakes.once import InMemoryOnce
from tests.fakes.world import World


class StubMethod:
    """`.remote(...)` of one method: arguments and answer cross by pickle, losses come first."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method
        self.calls = 0
        self.losses = 0

    async def remote(self, *arguments: Any) -> Any:
        self.calls += 1
        if self.losses:
            self.losses -= 1
            raise ActorDiedError
        try:
            return pickle.loads(
                pickle.dumps(await self.method(*pickle.loads(pickle.dumps(arguments))))
            )
        except FleetmemError as error:
            raise pickle.loads(pickle.dumps(error)) from None


class StubHandle:
    """A deployment's handle in this process."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        for name, method in methods.items():
            setattr(self, name, StubMethod(method))


def handle_of(memories: InMemoryMemories) -> Any:
    async def search(packed: bytes) -> bytes:
        found = [await memories.search(asked_search(one)) for one in unpack(packed)]
        return pack_plain([list(map(found_row, candidates)) for candidates in found])

    async def add(packed: bytes) -> bytes:
        return pack(await memories.add(unpack(packed)))

    once = InMemoryOnce(memories)

    async def add_once(key: IdempotencyKey, packed: bytes, size: int) -> Outcomes:
        return await once.add(key, unpack(packed), size)

    return StubHandle(
        search=search,
        add=add,
        get=memories.get,
        page=memories.page,
        count=memories.count,
        revise=memories.revise,
        forget=memories.forget,
        page_versions=memories.page_versions,
        recall_once=once.recall,
        add_once=add_once,
        revise_once=once.revise,
        forget_once=once.forget,
        check_database=memories.check_health,
    )


@pytest.fixture
def handle() -> Any:
    return handle_of(InMemoryMemories())


@pytest.fixture
def memories(handle: Any) -> RemoteMemories:
    return RemoteMemories(handle, RecordingMeter(), timeout=5)


class TestRemoteMemories(MemoriesContract):
    """Memories over a handle."""


async def test_a_write_whose_replica_was_lost_is_made_again(
    memories: RemoteMemories, handle: Any
) -> None:
    handle.add.losses = 2
    memory = sample()
    assert await memories.add([embed(memory)]) == [memory]
    assert handle.add.calls == 3


@pytest.fixture
def once(handle: Any) -> RemoteOnce:
    return RemoteOnce(handle, timeout=5)


class TestRemoteOnce(OnceContract):
    """Keys over a handle."""


async def test_under_a_key_everything_is_made_again(
    memories: RemoteMemories, once: RemoteOnce, handle: Any
) -> None:
    handle.add_once.losses = handle.forget_once.losses = 1
    [stored] = await once.add(KEY, {0: embed(sample())}, 1)
    assert isinstance(stored, Written)
    await once.forget(replace(KEY, key="another"), stored.memory.id, None)
    assert (handle.add_once.calls, handle.forget_once.calls) == (2, 2)


async def test_a_deletion_is_not_made_again(memories: RemoteMemories, handle: Any) -> None:
    memory = sample()
    await memories.add([embed(memory)])
    handle.forget.losses = 1
    with pytest.raises(Unavailable):
        await memories.forget(1, memory.id, None)
    assert handle.forget.calls == 1


async def test_long_lists_leave_in_parts(memories: RemoteMemories, handle: Any) -> None:
    many = [embed(sample(str(number))) for number in range(DOCUMENTS_PER_CALL + 1)]
    stored = await memories.add(many)
    assert stored == [one.memory for one in many]
    assert handle.add.calls == 2


def embedder_handle(embedder: FakeEmbedder) -> Any:
    async def embed_queries(packed: bytes, model: str) -> bytes:
        return pack([await embedder.embed_query(text) for text in unpack(packed)])

    async def embed_documents(packed: bytes, model: str) -> bytes:
        return pack(await embedder.embed_documents(unpack(packed)))

    return StubHandle(
        embed_queries=embed_queries,
        embed_documents=embed_documents,
        check_model=embedder.check_health,
    )


async def test_the_remote_embedder_gives_the_same_vectors() -> None:
    here = FakeEmbedder()
    there = RemoteEmbedder(embedder_handle(here), here.model, RecordingMeter(), timeout=5)
    assert np.array_equal(await there.embed_query("a cat"), await here.embed_query("a cat"))
    [remote] = await there.embed_documents(["a cat"])
    [local] = await here.embed_documents(["a cat"])
    assert not isinstance(remote, FleetmemError)
    assert not isinstance(local, FleetmemError)
    assert np.array_equal(remote[0].vector, local[0].vector)


async def test_a_part_that_fails_fails_its_own_texts_only() -> None:
    calls = 0

    async def embed_documents(packed: bytes, model: str) -> bytes:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise EmbeddingUnavailable("the model is gone")
        return pack(await FakeEmbedder().embed_documents(unpack(packed)))

    handle: Any = StubHandle(embed_documents=embed_documents)
    there = RemoteEmbedder(handle, "model", RecordingMeter(), timeout=5)
    outcomes = await there.embed_documents(["x"] * (DOCUMENTS_PER_CALL + 2))
    assert all(isinstance(o, EmbeddingUnavailable) for o in outcomes[:DOCUMENTS_PER_CALL])
    assert all(isinstance(o, tuple) for o in outcomes[DOCUMENTS_PER_CALL:])


async def test_the_parts_of_long_lists_take_turns() -> None:
    """A tenant that imports leaves another's long list no worse than second."""
    seen: list[str] = []
    gate = asyncio.Event()

    async def embed_documents(packed: Any, model: str) -> Any:
        texts = unpack(packed)
        seen.append(texts[0])
        await gate.wait()
        return pack(await FakeEmbedder().embed_documents(texts))

    handle: Any = StubHandle(embed_documents=embed_documents)
    there = RemoteEmbedder(handle, "model", RecordingMeter(), timeout=5)
    imports = [asyncio.create_task(there.embed_documents(["bulk"] * 2, 1)) for _ in range(20)]
    for _ in range(10):
        await asyncio.sleep(0)
    other = asyncio.create_task(there.embed_documents(["other"] * 2, 2))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*imports, other)
    assert "other" in seen[: PARTS.concurrency + 2]
    assert seen.count("bulk") == 20


async def test_tenants_take_turns_for_questions() -> None:
    seen: list[list[str]] = []
    gate = asyncio.Event()

    async def embed_queries(packed: Any, model: str) -> Any:
        texts = unpack(packed)
        seen.append(texts)
        await gate.wait()
        return pack([await FakeEmbedder().embed_query(text) for text in texts])

    handle: Any = StubHandle(embed_queries=embed_queries)
    there = RemoteEmbedder(handle, "model", RecordingMeter(), timeout=5)
    busy = QUERIES.concurrency * QUERIES.max_items
    many = [asyncio.create_task(there.embed_query("many", 1)) for _ in range(busy + 200)]
    for _ in range(5):
        await asyncio.sleep(0)
    one = asyncio.create_task(there.embed_query("one", 2))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*many, one)
    assert "one" in seen[QUERIES.concurrency]


async def test_how_long_a_full_replica_wants_to_be_left_alone_reaches_the_caller() -> None:
    """From the batcher's refusal, as a value or as an exception, to the header of the answer."""
    refusal = Overloaded("texts wait already", 9)

    async def refuse(packed: Any, model: str) -> Any:
        raise refusal

    async def refuse_each(packed: Any, model: str) -> Any:
        return pack([refusal for _ in unpack(packed)])

    world = World()
    body = {"agent_id": "a", "user_id": "u", "query": "q"}
    for embed_queries in (refuse, refuse_each):
        handle: Any = StubHandle(embed_queries=embed_queries)
        there = RemoteEmbedder(handle, "fake", world.meter, timeout=5)
        service = replace(
            world.service,
            ports=replace(world.ports, models=OneModel(CachedEmbedder(there, 10, world.meter))),
        )
        app = create_asgi_app(service, Settings(), PrometheusMeter(), world.meter)
        async with open_client(app) as client:
            answer = await client.post("/v1/memories/search", json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "9"


class KeysBehind(KeyMethods):
    """Retrieval, as far as keys go."""

    def __init__(self) -> None:
        self.keys = InMemoryKeys()


class TestRemoteKeys(KeysContract):
    @pytest.fixture
    def keys(self) -> RemoteKeys:
        behind = KeysBehind()
        methods = {name: getattr(behind, name) for name in vars(KeyMethods) if name[0] != "_"}
        handle: Any = StubHandle(**methods)
        return RemoteKeys(handle, timeout=5)
