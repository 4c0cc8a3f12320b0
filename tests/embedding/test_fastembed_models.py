import pytest
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

from serve_app.embedding.fastembed_models import download, load
from serve_app.embedding.registry import BGE_SMALL, MINILM
from serve_app.embedding.verification import model_folder
from tests.embedding.hub import hash_of, publish


def test_loads_session_and_tokenizer_as_often_as_wanted(model_directory):
    folder = model_folder(MINILM, model_directory)
    for _ in range(2):
        session, tokenizer = load(folder, MINILM, 1)
        assert isinstance(session, InferenceSession)
        assert isinstance(tokenizer, Tokenizer)


def test_threads_and_arena_are_what_was_asked_for(model_directory):
    session, _ = load(model_folder(MINILM, model_directory), MINILM, 2)
    options = session.get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.enable_cpu_mem_arena


def test_finds_what_was_downloaded(tmp_path):
    spec = publish(tmp_path)
    folder = download(spec, spec.source, tmp_path / "hub")
    assert hash_of(folder / spec.weights.path) == spec.weights.sha256


def test_offline_and_not_downloaded_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match="Could not load model"):
        download(BGE_SMALL, BGE_SMALL.source, tmp_path)
