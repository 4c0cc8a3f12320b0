import asyncio
import hashlib

import pytest

from serve_app.core.errors import EmbeddingUnavailable
from serve_app.embedding import shared_cache
from serve_app.embedding.cache import SURELY_READ_BYTES
from serve_app.embedding.shared_cache import SharedCache
from serve_app.embedding.sharing import BULK_TEXTS, SharingEmbedder
from serve_app.operations.ports import Embedder
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.vector_store import InMemoryVectorStore
from tests.operations.fleet import Clock

LONG = "word " * (SURELY_READ_BYTES // 5 + 1)


@pytest.fixture(autouse=True)
def patience(monkeypatch) -> None:
    """A busy machine is not a store that hangs."""
    monkeypatch.setattr(shared_cache, "ANSWER_SECONDS", 30)


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore()


@pytest.fixture
def model() -> FakeEmbedder:
    return FakeEmbedder(dimension=8, chunk_characters=1000)


@pytest.fixture
async def replica(store, model, meter) -> SharingEmbedder:
    cache = SharedCache(store, 8, meter, Clock())
    await cache.find(["open"])
    replica = SharingEmbedder(model, cache)
    await settle(replica)
    return replica


async def settle(replica) -> None:
    await asyncio.gather(*replica._cache._tasks.values())


async def test_is_an_embedder(replica, model):
    port: Embedder = replica
    assert port.model == model.model
    await port.check_health()
    model.down = True
    with pytest.raises(EmbeddingUnavailable):
        await port.check_health()


async def test_what_is_found_is_not_made_again(replica, model):
    vector = await replica.embed_query("where is the key")
    await settle(replica)
    model.down = True
    assert (await replica.embed_query("where is the key")).tolist() == vector.tolist()
    ((chunk,),) = await replica.embed_documents(["where is the key"])
    assert (chunk.start, chunk.end, chunk.vector.tolist()) == (0, 16, vector.tolist())
    with pytest.raises(EmbeddingUnavailable):
        await replica.embed_query("something else")


async def test_only_what_is_missing_is_made_and_each_has_its_own_outcome(replica, model):
    await replica.embed_documents(["b", "한국어"])
    await settle(replica)
    model.embedded.clear()
    model.refused.add("refused")
    outcomes = await replica.embed_documents(["a", "b", "refused", "한국어", "a", LONG * 9])
    assert model.embedded == ["a", LONG * 9]
    assert isinstance(outcomes.pop(2), EmbeddingUnavailable)
    assert [chunks[0].vector.tolist() for chunks in outcomes] == [
        model.chunks(text)[0].vector.tolist() for text in ("a", "b", "한국어", "a", LONG * 9)
    ]
    assert [len(chunks) for chunks in outcomes[:4]] == [1] * 4
    assert len(outcomes[4]) > 1


async def test_what_is_refused_or_of_several_chunks_is_not_kept(replica, model, store):
    model.refused.add("refused")
    await replica.embed_documents(["refused", LONG * 9])
    await settle(replica)
    assert store.values == {}


async def test_the_beginning_of_a_long_question_is_not_taken_for_the_document(replica, model):
    await replica.embed_query(LONG)
    await settle(replica)
    await replica.embed_documents([LONG])
    assert model.embedded == [LONG]
    model.down = True
    assert (await replica.embed_query(LONG)).tolist() == model.vector(LONG[:1000]).tolist()


async def test_another_model_has_other_vectors(replica, model, store, meter):
    await replica.embed_query("a")
    await settle(replica)
    model._model = "fake@int8"
    await replica.embed_query("a")
    await settle(replica)
    assert sorted(name.split(":")[0] for name in store.values) == ["fake", "fake@int8"]


async def test_a_name_is_model_and_sha256(replica, store):
    await replica.embed_documents(["a secret"])
    await settle(replica)
    assert list(store.values) == [f"fake:whole:{hashlib.sha256(b'a secret').hexdigest()}"]


async def test_an_import_passes_by(replica, store, model):
    texts = [f"text {number}" for number in range(BULK_TEXTS + 1)]
    assert len(await replica.embed_documents(texts)) == BULK_TEXTS + 1
    await settle(replica)
    assert (store.looked_up, store.values) == ([], {})
    await replica.embed_documents(texts[1:])
    await settle(replica)
    assert len(store.values) == BULK_TEXTS


async def test_text_that_is_no_unicode_reaches_the_model(replica):
    with pytest.raises(UnicodeEncodeError):
        await replica.embed_query("\ud800")


async def test_a_store_that_is_away_changes_no_answer(replica, model, store):
    store.down = True
    assert (await replica.embed_query("a")).tolist() == model.vector("a").tolist()
    ((chunk,),) = await replica.embed_documents(["b"])
    assert chunk.vector.tolist() == model.vector("b").tolist()
