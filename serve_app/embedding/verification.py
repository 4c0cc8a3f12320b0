"""Proves at every load that a prepared model is, byte for byte, what was prepared.

A prepared model is a folder of model.onnx (pooling inside), tokenizer.json,
tokenizer_config.json and manifest.json, which holds the sha256 of the others.
"""

import hashlib
import json
from pathlib import Path

from serve_app.core.errors import ModelUnavailable
from serve_app.embedding.registry import ModelSpec

MODEL_FILE = "model.onnx"
PREPARED_FILES = (MODEL_FILE, "tokenizer.json", "tokenizer_config.json")
MANIFEST_FILE = "manifest.json"
GRAPH_VERSION = 3
"""Raise it when a graph is written differently: models prepared before are then made anew."""

PREPARE_COMMAND = "fleetmem model prepare"


def model_folder(spec: ModelSpec, directory: Path) -> Path:
    """Where the prepared model lies below `directory`, whether or not it is there."""
    return directory.expanduser() / spec.name.replace("/", "--")


def verify_model(spec: ModelSpec, directory: Path) -> Path:
    """The folder of the prepared model; raises ModelUnavailable when a byte of it is wrong."""
    folder = model_folder(spec, directory)
    fault = find_fault(spec, folder)
    if fault is not None:
        raise ModelUnavailable(
            f"the embedding model {spec.name} is not usable: {fault}; "
            f"run `{PREPARE_COMMAND} {spec.name}`"
        )
    return folder


def find_fault(spec: ModelSpec, folder: Path) -> str | None:
    """What is wrong with the prepared model in words, or None."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{folder} holds no prepared model"
    except (OSError, ValueError) as error:
        return f"{folder / MANIFEST_FILE} cannot be read ({error})"
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or manifest != {**describe_model(spec), "files": files}:
        return f"{folder} was prepared from other weights or by another version"
    for name in PREPARED_FILES:
        if not (folder / name).is_file():
            return f"{folder / name} is missing"
        if hash_file(folder / name) != files.get(name):
            return f"{folder / name} has a wrong sha256"
    return None


def describe_model(spec: ModelSpec) -> dict[str, object]:
    """What a manifest says of a model besides its files."""
    return {
        "model": spec.name,
        "weights_sha256": spec.weights.sha256,
        "tokenizer_sha256": spec.tokenizer.sha256,
        "max_tokens": spec.max_tokens,
        "graph_version": GRAPH_VERSION,
    }


def hash_file(path: Path) -> str:
    """The sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
