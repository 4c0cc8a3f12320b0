from types import SimpleNamespace

import numpy as np
import pytest

from serve_app.embedding import engine as engine_module
from serve_app.embedding.cores import IdleCores
from serve_app.embedding.engine import Engine
from serve_app.embedding.lone_session import open_lone_session
from serve_app.embedding.registry import MINILM, MINILM_INT8
from serve_app.embedding.verification import MODEL_FILE, model_folder

TEXT = np.array([101, 2129, 2172, 2515, 1996, 9333, 3465, 1029, 102])


@pytest.mark.parametrize("spec", [MINILM, MINILM_INT8])
@pytest.mark.parametrize("tokens", [1, 9, 33, 256])
def test_gives_the_numbers_of_one_thread(engine, int8_engine, model_directory, spec, tokens):
    lone = open_lone_session(model_folder(spec, model_directory) / MODEL_FILE, 2)
    ids = np.resize(TEXT, (1, tokens))
    (vectors,) = lone.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    usual = {MINILM: engine, MINILM_INT8: int8_engine}[spec]
    np.testing.assert_array_equal(vectors, usual.run([ids[0]]))


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(engine_module, "count_usable_cores", lambda: 2)


@pytest.fixture
def idle(monkeypatch):
    """How many cores idle, told by the test; for long nothing has run."""
    cores = SimpleNamespace(idle=1.0)
    monkeypatch.setattr(IdleCores, "read", lambda self: cores.idle)
    monkeypatch.setattr(engine_module, "ALONE_SECONDS", 0.0)
    return cores


@pytest.mark.parametrize("spec", [MINILM, MINILM_INT8])
@pytest.mark.parametrize(
    ("texts", "cores", "threads"), [(1, 1.0, 2), (1, 0.2, 2), (1, 0.1, 1), (2, 1.0, 1)]
)
def test_more_threads_are_for_one_text_on_idle_cores(
    int8_engine, model_directory, two_cores, idle, spec, texts, cores, threads
):
    idle.idle = cores
    engine = Engine(spec, model_directory, threads=1, lone_threads=4)
    session = engine._pick_session(texts)
    assert session.get_session_options().intra_op_num_threads == threads
    np.testing.assert_array_equal(engine.run([TEXT] * texts)[0], engine.run([TEXT, TEXT])[0])


def test_who_follows_at_once_is_not_alone(model_directory, two_cores, idle, monkeypatch):
    monkeypatch.setattr(engine_module, "ALONE_SECONDS", 1000.0)
    engine = Engine(MINILM, model_directory, threads=1, lone_threads=2)
    engine._ended = float("-inf")
    assert engine._pick_session(1) is engine._lone
    engine.run([TEXT])
    assert engine._pick_session(1) is engine._session


@pytest.mark.parametrize(("threads", "lone_threads"), [(1, 1), (2, 2), (0, 2)])
def test_no_second_session_without_more_threads(
    model_directory, two_cores, idle, threads, lone_threads
):
    engine = Engine(MINILM, model_directory, threads, lone_threads)
    assert engine._pick_session(1) is engine._pick_session(2)


def test_both_sessions_are_warmed_up(model_directory, two_cores, monkeypatch):
    engine = Engine(MINILM, model_directory, threads=1, lone_threads=2)
    ran = []
    vectors = np.tile(np.eye(1, MINILM.dimension, dtype=np.float32), (8, 1))
    for name in ("_session", "_lone"):
        fake = SimpleNamespace(
            run=lambda outputs, feed, name=name: (
                ran.append(name) or [vectors[: len(feed["input_ids"])]]
            )
        )
        monkeypatch.setattr(engine, name, fake)
    engine.warm_up()
    assert set(ran) == {"_session", "_lone"}
