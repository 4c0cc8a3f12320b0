"""Which ONNX Runtime is installed: its packages for CPU and GPU overwrite each other's files."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from serve_app.core.errors import ConfigurationError

CPU_PACKAGE, GPU_PACKAGE = "onnxruntime", "onnxruntime-gpu"

FindVersion = Callable[[str], str]
"""The version of an installed package; raises PackageNotFoundError."""


def require_one_runtime(device: str, find_version: FindVersion = version) -> None:
    """Raise ConfigurationError unless exactly one is installed, and it can serve `device`."""
    found = [name for name in (CPU_PACKAGE, GPU_PACKAGE) if _is_installed(name, find_version)]
    if len(found) > 1:
        raise ConfigurationError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other; "
            "make a fresh environment with fleetmem[cpu] or fleetmem[gpu], never both"
        )
    if not found:
        raise ConfigurationError(
            "ONNX Runtime is not installed; install fleetmem[cpu], or fleetmem[gpu] for CUDA"
        )
    if device == "cuda" and found != [GPU_PACKAGE]:
        raise ConfigurationError(
            "embedding_device is cuda, but onnxruntime, which is for CPUs only, is installed; make "
            "a fresh environment with fleetmem[gpu] (remove .venv, then `scripts/install gpu`), "
            "or set embedding_device to cpu"
        )


def _is_installed(package: str, find_version: FindVersion) -> bool:
    try:
        find_version(package)
    except PackageNotFoundError:
        return False
    return True
