import numpy as np
import pytest
from onnxruntime import InferenceSession, get_available_providers

from serve_app.core.errors import ConfigurationError, ModelUnavailable
from serve_app.embedding import cuda_engine
from serve_app.embedding.cuda_engine import CudaEngine, open_cuda_session, require_loaded
from serve_app.embedding.half_preparation import prepare_half
from serve_app.embedding.registry import MINILM
from serve_app.embedding.shape_buckets import Bucket

without_cuda = pytest.mark.skipif(
    "CUDAExecutionProvider" in get_available_providers(), reason="this ONNX Runtime has CUDA"
)


@pytest.fixture(scope="module")
def half_model(model_directory):
    return prepare_half(MINILM, model_directory, lambda line: None) / "model.onnx"


@pytest.fixture
def on_processor(half_model, model_directory, monkeypatch):
    """Everything but the device: package, driver, provider and device name are stood in for."""
    real = cuda_engine.BucketSession
    free = iter([2**30, 2**29])

    def open_session(model):
        return InferenceSession(str(model), providers=["CPUExecutionProvider"])

    monkeypatch.setattr(cuda_engine, "require_one_runtime", lambda device: None)
    monkeypatch.setattr(cuda_engine, "read_free_bytes", lambda: next(free))
    monkeypatch.setattr(cuda_engine, "open_cuda_session", open_session)
    monkeypatch.setattr(
        cuda_engine, "list_buckets", lambda limit: (Bucket(1, 16), Bucket(4, 16), Bucket(1, limit))
    )
    monkeypatch.setattr(
        cuda_engine,
        "BucketSession",
        lambda session, buckets, n, device: real(session, buckets, n, "cpu"),
    )
    return lambda: CudaEngine(MINILM, model_directory)


@without_cuda
def test_cuda_is_refused_where_only_the_package_for_processors_is(half_model, model_directory):
    with pytest.raises(ConfigurationError, match=r"fleetmem\[gpu\].*embedding_device to cpu"):
        CudaEngine(MINILM, model_directory)


@without_cuda
def test_a_runtime_without_cuda_is_refused(half_model):
    with pytest.raises(ConfigurationError, match="built without CUDA"):
        open_cuda_session(half_model)


@without_cuda
def test_no_session_falls_back_to_the_processor(half_model, monkeypatch):
    monkeypatch.setattr(
        cuda_engine.onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"]
    )
    with pytest.raises(ConfigurationError, match="cannot run the model on cuda"):
        open_cuda_session(half_model)


@without_cuda
def test_a_session_that_calls_another_provider_its_first_is_refused(half_model, monkeypatch):
    real = cuda_engine.InferenceSession

    def fall_back(model, options, providers):
        return real(model, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(
        cuda_engine.onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"]
    )
    monkeypatch.setattr(cuda_engine, "InferenceSession", fall_back)
    with pytest.raises(ConfigurationError, match="CPUExecutionProvider instead of cuda"):
        open_cuda_session(half_model)


def test_a_gpu_that_does_not_hold_the_model_is_refused():
    require_loaded(45_000_000, 45_000_000)
    with pytest.raises(ConfigurationError, match="the model is not on it"):
        require_loaded(44_999_999, 45_000_000)


def test_warms_up_every_shape_and_runs(on_processor, engine):
    cuda = on_processor()
    cuda.warm_up()
    ids = np.array(cuda.tokenizer.encode("Where is the key?").ids, np.int64)
    assert float(cuda.run([ids])[0] @ engine.run([ids])[0]) >= 0.999
    assert len(cuda.tokenizer.encode("word " * 1000).ids) == 1002


def test_a_shape_that_computes_something_else_never_warms_up(on_processor, monkeypatch):
    cuda = on_processor()
    shape = cuda.shapes.shapes[Bucket(4, 16)]
    right = shape.run
    monkeypatch.setattr(shape, "run", lambda ids: np.roll(right(ids), 1, axis=1))
    with pytest.raises(ConfigurationError, match="does not give the vectors"):
        cuda.warm_up()


def test_a_number_that_is_not_finite_is_never_given(on_processor, monkeypatch):
    cuda = on_processor()
    monkeypatch.setattr(cuda.shapes, "run", lambda ids: np.full((1, 384), np.nan))
    with pytest.raises(ArithmeticError):
        cuda.run([np.array([101, 102])])


def test_the_twin_must_be_prepared(on_processor, tmp_path, monkeypatch):
    with pytest.raises(ModelUnavailable):
        CudaEngine(MINILM, tmp_path)
