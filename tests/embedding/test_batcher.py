import asyncio
from itertools import pairwise

import numpy as np
import pytest

from serve_app.core.errors import (
    ConfigurationError,
    EmbeddingUnavailable,
    InvalidInput,
    ModelUnavailable,
    Overloaded,
)
from serve_app.core.memory import Chunk
from serve_app.embedding.batcher import Batcher, open_batcher
from serve_app.embedding.engine import Engine
from serve_app.embedding.registry import MINILM
from serve_app.operations.ports import Embedder
from serve_app.settings import Settings
from tests.embedding.gated import Arrivals, GatedEngine

POISON = 9947
"""The token of "poison"."""


@pytest.fixture
def gated(engine: Engine) -> GatedEngine:
    return GatedEngine(engine)


@pytest.fixture
async def batcher(gated, meter):
    batcher = Batcher(gated, batch_tokens=512, queue_limit=8, meter=meter)
    yield batcher
    gated.gate.set()
    await batcher.close()


async def hold(batcher, gated) -> asyncio.Task:
    """Occupy the model with one question, so that whatever comes next has to queue."""
    gated.gate.clear()
    gated.entered.clear()
    task = asyncio.create_task(batcher.embed_query("held"))
    assert await asyncio.to_thread(gated.entered.wait, 30)
    return task


async def test_is_an_embedder(batcher):
    port: Embedder = batcher
    assert port.model == MINILM.name


async def test_question_and_short_document_have_the_same_vector(batcher):
    query = await batcher.embed_query("Maria moved to Porto")
    ((chunk,),) = await batcher.embed_documents(["Maria moved to Porto"])
    assert (chunk.start, chunk.end) == (0, 20)
    assert float(query @ chunk.vector) >= 0.99999
    assert (query.shape, query.dtype) == ((384,), np.float32)


async def test_the_end_of_a_long_text_is_found(batcher):
    filler = "The committee discussed the budget for another quarter. " * 100
    secret = "Tomas keeps the spare key under the blue flower pot."
    (chunks,) = await batcher.embed_documents([filler + secret])
    question = await batcher.embed_query("Where is the spare key kept?")
    similarities = [float(chunk.vector @ question) for chunk in chunks]
    best = chunks[int(np.argmax(similarities))]
    assert best.end == len(filler + secret)
    assert max(similarities) > 2 * max(similarities[:-2])


async def test_chunks_hold_every_character(batcher):
    text = "Seven grey herons stood in the shallow water. " * 60
    (chunks,) = await batcher.embed_documents([text])
    assert chunks[0].start == 0
    assert chunks[-1].end == len(text)
    assert all(a.end >= b.start for a, b in pairwise(chunks))


async def test_concurrent_callers_share_a_batch(batcher, gated, meter):
    held = await hold(batcher, gated)
    arrivals = Arrivals(batcher)
    callers = [asyncio.create_task(batcher.embed_query(f"question {n}")) for n in range(5)]
    await arrivals.wait_for(5)
    gated.gate.set()
    vectors = await asyncio.gather(held, *callers)
    assert [len(batch) for batch in gated.batches] == [1, 5]
    alone = [await batcher.embed_query(f"question {n}") for n in range(5)]
    for merged, single in zip(vectors[1:], alone, strict=True):
        assert float(merged @ single) >= 0.99999
    assert meter.observations["embedding_batch_size", ()][:2] == [1, 5]
    assert all(seconds > 0 for seconds in meter.observations["embedding_duration_seconds", ()])


async def test_batches_keep_the_token_budget(engine, gated, meter):
    batcher = Batcher(gated, batch_tokens=64, queue_limit=100, meter=meter)
    texts = ["word " * (1 + n % 30) for n in range(40)]
    outcomes = await batcher.embed_documents(texts)
    assert sum(len(batch) for batch in gated.batches) == 40
    assert all(len(batch) == 1 or max(batch) * len(batch) <= 64 for batch in gated.batches)
    for text, (chunk,) in zip(texts, outcomes, strict=True):
        (expected,) = engine.run([np.array(engine.tokenizer.encode(text).ids)])
        assert float(chunk.vector @ expected) >= 0.99999
    await batcher.close()


async def test_a_question_does_not_wait_for_an_import(engine, gated, meter):
    batcher = Batcher(gated, batch_tokens=16, queue_limit=100, meter=meter)
    held = await hold(batcher, gated)
    arrivals = Arrivals(batcher)
    documents = asyncio.create_task(batcher.embed_documents(["some words to be stored"] * 20))
    await arrivals.wait_for(20)
    question = asyncio.create_task(batcher.embed_query("why"))
    await arrivals.wait_for(1)
    gated.gate.set()
    await question
    assert len(gated.batches) <= 4
    await asyncio.gather(held, documents)
    await batcher.close()


async def test_a_caller_who_left_costs_nothing(batcher, gated):
    held = await hold(batcher, gated)
    arrivals = Arrivals(batcher)
    leaving = asyncio.create_task(batcher.embed_documents(["one two three four"] * 3))
    staying = asyncio.create_task(batcher.embed_query("stay"))
    await arrivals.wait_for(4)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert batcher.in_flight == 2
    gated.gate.set()
    await asyncio.gather(held, staying)
    assert gated.batches == [[3], [3]]
    assert batcher.in_flight == 0


async def test_above_the_limit_a_call_is_refused_and_those_before_are_answered(
    batcher, gated, meter
):
    held = await hold(batcher, gated)
    arrivals = Arrivals(batcher)
    waiting = asyncio.create_task(batcher.embed_documents(["text"] * 7))
    await arrivals.wait_for(7)
    for call in (batcher.embed_query("more"), batcher.embed_documents(["more"])):
        with pytest.raises(Overloaded) as refusal:
            await call
        assert 1 <= refusal.value.retry_after <= 30
    assert meter.total("embedding_errors", error="overloaded") == 2
    gated.gate.set()
    await held
    assert len(await waiting) == 7
    await batcher.embed_query("more")


async def test_an_idle_batcher_takes_a_call_above_the_limit(batcher):
    assert len(await batcher.embed_documents(["text"] * 20)) == 20


async def test_retry_after_grows_with_what_waits(batcher, gated):
    batcher._seconds_per_text = 2.0
    held = await hold(batcher, gated)
    with pytest.raises(Overloaded) as refusal:
        await batcher.embed_documents(["text"] * 8)
    assert refusal.value.retry_after == 2
    gated.gate.set()
    await held


async def test_an_error_of_the_runtime_reaches_only_the_text_it_is_about(batcher, gated, meter):
    gated.fails = lambda batch: any(POISON in ids for ids in batch)
    assert POISON in gated.tokenizer.encode("poison").ids
    outcomes = await batcher.embed_documents(["good", "poison", "also good"])
    assert [type(outcome) for outcome in outcomes] == [tuple, EmbeddingUnavailable, tuple]
    assert meter.total("embedding_errors", error="embedding_unavailable") == 1
    with pytest.raises(EmbeddingUnavailable):
        await batcher.embed_query("poison")


async def test_a_model_that_answers_too_few_texts_leaves_nobody_waiting(batcher, gated):
    gated.loses_rows = True
    outcomes = await batcher.embed_documents(["one", "two"])
    assert [type(outcome) for outcome in outcomes] == [EmbeddingUnavailable] * 2


async def test_a_long_text_is_never_stored_half(batcher, gated):
    gated.fails = lambda batch: any(POISON in ids for ids in batch)
    (outcome,) = await batcher.embed_documents(["harmless words " * 300 + "poison"])
    assert isinstance(outcome, EmbeddingUnavailable)


async def test_text_that_is_no_unicode_fails_alone(batcher):
    documents = await batcher.embed_documents(["good", "\ud800", "fine"])
    assert [type(outcome) for outcome in documents] == [tuple, InvalidInput, tuple]
    queries = await batcher.embed_queries(["\ud800", "good"])
    assert isinstance(queries[0], InvalidInput)
    assert queries[1].shape == (384,)
    with pytest.raises(InvalidInput):
        await batcher.embed_query("\ud800")


async def test_no_texts_have_no_vectors(batcher):
    assert await batcher.embed_documents([]) == []
    assert await batcher.embed_queries([]) == []


async def test_a_text_of_nothing_has_one_chunk(batcher):
    ((chunk,),) = await batcher.embed_documents([""])
    assert isinstance(chunk, Chunk)
    assert float(np.linalg.norm(chunk.vector)) == pytest.approx(1, abs=1e-5)


async def test_the_event_loop_is_free_while_the_model_runs(batcher, gated):
    held = await hold(batcher, gated)
    # Reaching this line at all shows that the blocked model does not block the loop.
    gated.gate.set()
    assert (await held).shape == (384,)


async def test_health_is_what_the_model_says(batcher, gated):
    await batcher.check_health()
    gated.fails = lambda batch: True
    with pytest.raises(EmbeddingUnavailable):
        await batcher.check_health()


async def test_health_is_asked_past_a_full_queue(batcher, gated):
    held = await hold(batcher, gated)
    arrivals = Arrivals(batcher)
    waiting = asyncio.create_task(batcher.embed_documents(["text"] * 7))
    await arrivals.wait_for(7)
    health = asyncio.create_task(batcher.check_health())
    await arrivals.wait_for(1)
    gated.gate.set()
    await asyncio.gather(held, waiting, health)


async def test_closing_fails_what_waits_and_lets_the_running_batch_end(gated, meter):
    batcher = Batcher(gated, batch_tokens=512, queue_limit=8, meter=meter)
    held = await hold(batcher, gated)
    arrivals = Arrivals(batcher)
    waiting = asyncio.create_task(batcher.embed_documents(["text"]))
    await arrivals.wait_for(1)
    closing = asyncio.create_task(batcher.close())
    (outcome,) = await waiting
    assert isinstance(outcome, EmbeddingUnavailable)
    gated.gate.set()
    assert (await held).shape == (384,)
    await closing
    for call in (batcher.embed_query("late"), batcher.check_health()):
        with pytest.raises(EmbeddingUnavailable):
            await call


async def test_opens_what_the_settings_name(model_directory, meter):
    batcher = open_batcher(Settings(model_directory=model_directory), meter)
    assert (await batcher.embed_query("ready")).shape == (384,)
    await batcher.close()


def test_opening_an_unprepared_or_unknown_model_is_refused(tmp_path, meter):
    with pytest.raises(ModelUnavailable):
        open_batcher(Settings(model_directory=tmp_path), meter)
    with pytest.raises(ConfigurationError):
        open_batcher(Settings(embedding_model="unknown"), meter)
