import asyncio

import pytest

from serve_app.core.errors import EmbeddingUnavailable, InvalidInput
from serve_app.embedding.batcher import Batcher
from serve_app.embedding.cache import SURELY_READ_BYTES, CachedEmbedder
from serve_app.embedding.registry import MODELS
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


async def test_a_document_is_embedded_once_whoever_asked_first(cached, gated):
    vector = await cached.embed_query("the key is under the mat")
    ((chunk,),) = await cached.embed_documents(["the key is under the mat"])
    assert (chunk.start, chunk.end) == (0, 24)
    assert chunk.vector is vector
    ((first,),) = await cached.embed_documents(["a stored memory"])
    assert await cached.embed_query("a stored memory") is first.vector
    assert len(gated.batches) == 2


async def test_a_cached_document_is_what_the_embedder_gives(cached, batcher):
    texts = ["", "Ünïcödé  and spaces ", "한국어 문장", "word " * 200]
    await cached.embed_documents(texts[:1])
    for text in texts:
        await cached.embed_query(text)
        (ours,), (theirs,) = (
            await cached.embed_documents([text]),
            await batcher.embed_documents([text]),
        )
        assert [(c.start, c.end) for c in ours] == [(c.start, c.end) for c in theirs]
        assert all(float(a.vector @ b.vector) > 0.9999 for a, b in zip(ours, theirs, strict=True))


async def test_the_beginning_of_a_long_question_is_not_taken_for_the_document(cached):
    text = "The ferry leaves at noon. " * 100
    await cached.embed_query(text)
    (chunks,) = await cached.embed_documents([text])
    assert len(chunks) > 1
    assert chunks[-1].end == len(text)


async def test_identical_documents_at_once_cost_one_inference(cached, gated, meter):
    gated.gate.clear()
    gated.entered.clear()
    calls = [asyncio.create_task(cached.embed_documents(["popular", "popular"])) for _ in range(20)]
    assert await asyncio.to_thread(gated.entered.wait, 30)
    gated.gate.set()
    vectors = {id(c.vector) for call in calls for (c,) in await call}
    assert len(vectors) == 1
    assert gated.batches == [[3]]
    assert meter.total("embedding_cache", outcome="miss") == 1
    assert meter.total("embedding_cache", outcome="joined") == 39


async def test_a_batch_of_documents_asks_for_the_unknown_ones_alone(cached, gated):
    await cached.embed_documents(["known"])
    known, unknown = await cached.embed_documents(["known", "something else"])
    assert [len(batch) for batch in gated.batches] == [1, 1]
    assert float(known[0].vector @ unknown[0].vector) < 0.9


async def test_documents_do_not_drive_out_questions(cached, gated):
    await cached.embed_query("often asked")
    for number in range(5):
        await cached.embed_documents([f"imported {number}"])
    asked = len(gated.batches)
    await cached.embed_query("often asked")
    assert len(gated.batches) == asked


async def test_a_failed_document_is_not_kept(cached, gated):
    gated.fails = lambda batch: True
    (outcome,) = await cached.embed_documents(["unlucky"])
    assert isinstance(outcome, EmbeddingUnavailable)
    gated.fails = lambda batch: False
    ((chunk,),) = await cached.embed_documents(["unlucky"])
    assert chunk.end == 7


async def test_a_call_that_leaves_does_not_take_the_documents_of_others_along(cached, gated):
    gated.gate.clear()
    gated.entered.clear()
    first = asyncio.create_task(cached.embed_documents(["shared document"]))
    assert await asyncio.to_thread(gated.entered.wait, 30)
    second = asyncio.create_task(cached.embed_documents(["shared document"]))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gated.gate.set()
    ((chunk,),) = await second
    assert chunk.end == 15
    assert gated.batches == [[4]]
    assert not cached._convoys


def test_every_model_reads_what_is_surely_read():
    assert min(spec.max_tokens for spec in MODELS.values()) - 2 >= SURELY_READ_BYTES
