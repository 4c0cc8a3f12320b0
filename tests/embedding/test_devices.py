from importlib.metadata import PackageNotFoundError

import pytest
from onnxruntime import get_available_providers

from serve_app.core.errors import ConfigurationError
from serve_app.embedding import devices
from serve_app.embedding import engine as engine_module
from serve_app.embedding.devices import open_engine, prepare_for_device
from serve_app.embedding.engine import Engine
from serve_app.embedding.half_preparation import verify_half
from serve_app.embedding.registry import MINILM
from serve_app.embedding.runtime_package import require_one_runtime
from serve_app.settings import Settings


def settings_for(device, directory):
    return Settings(embedding_device=device, model_directory=directory)


def test_a_processor_gets_the_engine_of_processors(model_directory):
    assert isinstance(open_engine(settings_for("cpu", model_directory)), Engine)


@pytest.mark.parametrize(("precision", "has_more"), [("fp32", True), ("int8", False)])
def test_only_fp32_has_more_threads_for_a_lone_text(
    int8_engine, model_directory, monkeypatch, precision, has_more
):
    monkeypatch.setattr(engine_module, "count_usable_cores", lambda: 2)
    engine = open_engine(Settings(embedding_precision=precision, model_directory=model_directory))
    assert (engine._lone is not None) == has_more


@pytest.mark.skipif(
    "CUDAExecutionProvider" in get_available_providers(),
    reason="this ONNX Runtime has CUDA, so nothing is to be refused",
)
def test_cuda_without_a_gpu_is_refused_with_what_to_do(model_directory):
    settings = settings_for("cuda", model_directory)
    with pytest.raises(ConfigurationError, match=r"scripts/install gpu.*embedding_device to cpu"):
        open_engine(settings)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_both_packages_are_refused_before_anything_is_loaded(device, monkeypatch, tmp_path):
    monkeypatch.setattr(
        devices, "require_one_runtime", lambda device: require_one_runtime(device, lambda name: "1")
    )
    with pytest.raises(ConfigurationError, match="never both"):
        open_engine(settings_for(device, tmp_path))


def test_no_package_is_refused(monkeypatch, tmp_path):
    def find_nothing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(
        devices, "require_one_runtime", lambda device: require_one_runtime(device, find_nothing)
    )
    with pytest.raises(ConfigurationError, match="not installed"):
        open_engine(settings_for("cpu", tmp_path))


def test_prepares_the_twin_for_cuda_only(tmp_path):
    lines = []
    prepare_for_device(MINILM, settings_for("cpu", tmp_path), lines.append)
    assert not [line for line in lines if "fp16" in line]
    prepare_for_device(MINILM, settings_for("cuda", tmp_path), lines.append)
    verify_half(MINILM, tmp_path)
