"""Prepares and opens the model for the device that the settings name: a processor or a GPU."""

from typing import TYPE_CHECKING

from serve_app.core.errors import ConfigurationError
from serve_app.embedding.engine import Engine
from serve_app.embedding.registry import ModelSpec, find_model
from serve_app.embedding.runtime_package import require_one_runtime
from serve_app.settings import Settings

if TYPE_CHECKING:
    from serve_app.embedding.cuda_engine import CudaEngine
    from serve_app.embedding.preparation import Progress


def prepare_for_device(spec: ModelSpec, settings: Settings, progress: "Progress") -> None:
    """Make the model ready, and its fp16 twin where the device is cuda.

    Raises ModelUnavailable, and ConfigurationError when the model cannot run on the device.
    """
    from serve_app.embedding.preparation import prepare_model

    _require_precision(spec, settings)
    directory = settings.model_directory.expanduser()
    prepare_model(spec, directory, progress)
    if settings.embedding_device == "cuda":
        from serve_app.embedding.half_preparation import prepare_half

        prepare_half(spec, directory, progress)


def open_engine(settings: Settings, model: str | None = None) -> "Engine | CudaEngine":
    """A model, by default the settings', verified and loaded on the settings' device, on no other.

    Raises ModelUnavailable, and ConfigurationError when the device cannot be had.
    """
    spec, directory = find_model(model or settings.stored_model), settings.model_directory
    _require_precision(spec, settings)
    require_one_runtime(settings.embedding_device)
    if settings.embedding_device == "cuda":
        # Here, for a replica on a processor has no use for what writes graphs.
        from serve_app.embedding.cuda_engine import CudaEngine

        return CudaEngine(spec, directory)
    # Int8's steps are too short to share: hardly a quicker median, and a slower p99 (ADR 27).
    lone_threads = settings.embedding_lone_text_threads if spec.precision == "fp32" else 1
    return Engine(spec, directory, settings.embedding_threads, lone_threads)


def _require_precision(spec: ModelSpec, settings: Settings) -> None:
    """Raise ConfigurationError where the device cannot run the model."""
    if settings.embedding_device == "cuda" and spec.precision != "fp32":
        raise ConfigurationError(
            f"{spec.name} runs on the cpu alone; cuda has a precision of its own"
        )
