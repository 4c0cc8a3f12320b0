import asyncio

import pytest

from serve_app.core.errors import EmbeddingUnavailable, InvalidInput
from serve_app.embedding.batcher import Batcher
from serve_app.embedding.cache import CachedEmbedder
from serve_app.operations.ports import Embedder
from tests.embedding.gated import Arrivals, GatedEngine


@pytest.fixture
def gated(engine) -> GatedEngine:
    return GatedEngine(engine)


@pytest.fixture
async def batcher(gated, meter):
    batcher = Batcher(gated, batch_tokens=512, queue_limit=1000, meter=meter)
    yield batcher
    gated.gate.set()
    await batcher.close()


@pytest.fixture
def cached(batcher, meter) -> CachedEmbedder:
    return CachedEmbedder(batcher, 2, meter)


async def ask_together(cached, gated, text, callers):
    """That many callers of one question, all waiting behind the gate."""
    gated.gate.clear()
    gated.entered.clear()
    tasks = [asyncio.create_task(cached.embed_query(text)) for _ in range(callers)]
    assert await asyncio.to_thread(gated.entered.wait, 30)
    return tasks


async def test_is_an_embedder(cached, batcher):
    port: Embedder = cached
    assert port.model == batcher.model
    await port.check_health()
    ((chunk,),) = await port.embed_documents(["a document"])
    assert chunk.end == 10


async def test_a_question_is_embedded_once(cached, gated, meter):
    first = await cached.embed_query("where is the key")
    assert await cached.embed_query("where is the key") is first
    assert len(gated.batches) == 1
    assert meter.total("embedding_cache", outcome="miss") == 1
    assert meter.total("embedding_cache", outcome="hit") == 1


async def test_a_hundred_at_once_cost_one_inference(cached, gated, meter):
    tasks = await ask_together(cached, gated, "popular", 100)
    gated.gate.set()
    vectors = await asyncio.gather(*tasks)
    assert gated.batches == [[3]]
    assert all(vector is vectors[0] for vector in vectors)
    assert meter.total("embedding_cache", outcome="miss") == 1
    assert meter.total("embedding_cache", outcome="joined") == 99


async def test_different_questions_do_not_share(cached):
    one, other = await asyncio.gather(cached.embed_query("one"), cached.embed_query("other"))
    assert float(one @ other) < 0.9


async def test_the_least_recently_asked_is_forgotten(cached, gated):
    for text in ("a", "b", "a", "c"):
        await cached.embed_query(text)
    asked = len(gated.batches)
    await cached.embed_query("a")
    assert len(gated.batches) == asked
    await cached.embed_query("b")
    assert len(gated.batches) == asked + 1


async def test_size_zero_keeps_nothing_but_still_shares(batcher, gated, meter):
    cached = CachedEmbedder(batcher, 0, meter)
    tasks = await ask_together(cached, gated, "shared", 3)
    gated.gate.set()
    await asyncio.gather(*tasks)
    assert len(gated.batches) == 1
    await cached.embed_query("shared")
    assert len(gated.batches) == 2


async def test_a_failure_is_shared_and_not_kept(cached, gated):
    gated.fails = lambda batch: True
    tasks = await ask_together(cached, gated, "unlucky", 3)
    gated.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [EmbeddingUnavailable] * 3
    assert len(gated.batches) == 1
    gated.fails = lambda batch: False
    assert (await cached.embed_query("unlucky")).shape == (384,)


async def test_one_who_leaves_does_not_take_the_others_along(cached, gated):
    first, second = await ask_together(cached, gated, "patience", 2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gated.gate.set()
    assert (await second).shape == (384,)
    assert len(gated.batches) == 1


async def test_when_all_leave_the_inference_is_dropped(cached, batcher, gated):
    (held,) = await ask_together(cached, gated, "held", 1)
    arrivals = Arrivals(batcher)
    leaving = asyncio.create_task(cached.embed_query("abandoned question"))
    await arrivals.wait_for(1)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    again = asyncio.create_task(cached.embed_query("asked again"))
    gated.gate.set()
    await asyncio.gather(held, again)
    assert gated.batches == [[3], [4]]
    assert batcher.in_flight == 0


async def test_shared_vectors_cannot_be_changed(cached):
    vector = await cached.embed_query("stable")
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1


async def test_text_that_is_no_unicode_is_refused_by_the_model(cached):
    with pytest.raises(InvalidInput):
        await cached.embed_query("\ud800")
