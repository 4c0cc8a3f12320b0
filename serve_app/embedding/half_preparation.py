"""Makes the fp16 twin of a prepared model, with vectors of the fp32 one to hold it to.

It lies beside the prepared model, in a folder of model.onnx, canary.npz and manifest.json.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx

from serve_app.core.errors import ConfigurationError, ModelUnavailable
from serve_app.embedding.canary import TEXTS, Canary, write_canary
from serve_app.embedding.engine import Engine
from serve_app.embedding.half_graph import halve
from serve_app.embedding.preparation import Progress, hold_lock, read_padded_graph
from serve_app.embedding.registry import ModelSpec
from serve_app.embedding.verification import (
    MANIFEST_FILE,
    MODEL_FILE,
    PREPARE_COMMAND,
    hash_file,
    model_folder,
    verify_model,
)

CANARY_FILE = "canary.npz"
HALF_VERSION = 1
"""Raise it when graph or canary are made differently: twins made before are then made anew."""


def prepare_half(spec: ModelSpec, directory: Path, progress: Progress) -> Path:
    """Make the fp16 twin of a prepared model unless it is there, and return its folder.

    Raises ModelUnavailable when the fp32 model is not prepared or the folder cannot be written,
    ConfigurationError when the model cannot become fp16.
    """
    source, folder = verify_model(spec, directory), _half_folder(spec, directory)
    try:
        if _find_fault(source, folder) is not None:
            with hold_lock(folder.with_name(f"{folder.name}.lock")):
                if _find_fault(source, folder) is not None:
                    progress(f"writing the fp16 graph of {spec.name}")
                    _build(spec, directory, folder, progress)
    except OSError as error:
        raise ModelUnavailable(f"cannot prepare {spec.name} in {folder}: {error}") from error
    progress(f"model {spec.name} is ready for CUDA in {folder}")
    return folder


def verify_half(spec: ModelSpec, directory: Path) -> Path:
    """The folder of the fp16 twin; raises ModelUnavailable when a byte of it is wrong."""
    source, folder = verify_model(spec, directory), _half_folder(spec, directory)
    fault = _find_fault(source, folder)
    if fault is not None:
        raise ModelUnavailable(
            f"the fp16 model of {spec.name} is not usable: {fault}; run "
            f"`FLEETMEM_EMBEDDING_DEVICE=cuda {PREPARE_COMMAND} {spec.name}`"
        )
    return folder


def _half_folder(spec: ModelSpec, directory: Path) -> Path:
    folder = model_folder(spec, directory)
    return folder.with_name(f"{folder.name}--fp16")


def _build(spec: ModelSpec, directory: Path, folder: Path, progress: Progress) -> None:
    """Write everything beside `folder`, then move it there in one step."""
    source = verify_model(spec, directory)
    model = read_padded_graph(spec, directory, progress)
    try:
        halve(model)
    except ValueError as error:
        raise ConfigurationError(
            f"{spec.name} cannot run on cuda: {error}; choose a model whose weights are packaged, "
            "or set embedding_device to cpu"
        ) from error
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        onnx.save_model(model, str(draft / MODEL_FILE))
        write_canary(draft / CANARY_FILE, _record(spec, directory))
        manifest = json.dumps(_describe(source, draft), indent=2)
        (draft / MANIFEST_FILE).write_text(manifest + "\n", encoding="utf-8")
        # A container prepares as one user and serves as another.
        draft.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _record(spec: ModelSpec, directory: Path) -> Canary:
    """What the fp32 model gives for the canary's texts on the processor."""
    engine = Engine(spec, directory, threads=1)
    token_ids = tuple(np.array(engine.tokenizer.encode(text).ids, np.int64) for text in TEXTS)
    return Canary(token_ids, engine.run(token_ids))


def _describe(source: Path, folder: Path) -> dict[str, object]:
    """What the manifest of a twin of `source` says when every file is right."""
    return {
        "half_version": HALF_VERSION,
        "source_sha256": hash_file(source / MODEL_FILE),
        "files": {name: hash_file(folder / name) for name in (MODEL_FILE, CANARY_FILE)},
    }


def _find_fault(source: Path, folder: Path) -> str | None:
    """What is wrong with the twin in words, or None."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        expected = _describe(source, folder)
    except FileNotFoundError:
        return f"{folder} holds no fp16 model"
    except (OSError, ValueError) as error:
        return f"{folder} cannot be read ({error})"
    if manifest != expected:
        return f"{folder} was made from another model or changed since"
    return None
