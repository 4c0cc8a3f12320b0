import json
import shutil

import pytest

from serve_app.core.errors import ModelUnavailable
from serve_app.embedding.registry import MINILM
from serve_app.embedding.verification import model_folder, verify_model


@pytest.fixture
def copied(model_directory, tmp_path):
    """A directory of its own with the prepared model, to be spoiled."""
    shutil.copytree(model_folder(MINILM, model_directory), model_folder(MINILM, tmp_path))
    return tmp_path


def spoil_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_gives_the_folder_of_a_prepared_model(copied):
    assert verify_model(MINILM, copied) == model_folder(MINILM, copied)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "tokenizer_config.json"])
def test_one_changed_byte_is_refused(copied, name):
    path = model_folder(MINILM, copied) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=f"{name} has a wrong sha256"):
        verify_model(MINILM, copied)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights_sha256": "0" * 64},
        {"tokenizer_sha256": "0" * 64},
        {"graph_version": 0},
        {"max_tokens": 512},
        {"model": "another"},
        {"files": None},
    ],
)
def test_other_weights_or_another_version_are_refused(copied, changes):
    spoil_manifest(model_folder(MINILM, copied), **changes)
    with pytest.raises(ModelUnavailable, match="prepared from other weights or by another version"):
        verify_model(MINILM, copied)


def test_a_manifest_that_names_no_files_is_refused(copied):
    spoil_manifest(model_folder(MINILM, copied), files={})
    with pytest.raises(ModelUnavailable, match="wrong sha256"):
        verify_model(MINILM, copied)


@pytest.mark.parametrize("content", ["[]", "{", "7"])
def test_a_manifest_that_is_none_is_refused(copied, content):
    (model_folder(MINILM, copied) / "manifest.json").write_text(content)
    with pytest.raises(ModelUnavailable):
        verify_model(MINILM, copied)


def test_a_lost_file_is_refused(copied):
    (model_folder(MINILM, copied) / "tokenizer.json").unlink()
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json is missing"):
        verify_model(MINILM, copied)


def test_refusal_says_what_to_do(tmp_path):
    with pytest.raises(ModelUnavailable, match=f"fleetmem model prepare {MINILM.name}"):
        verify_model(MINILM, tmp_path)
