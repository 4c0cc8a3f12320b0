"""What fastembed does for us: download a model from its hub, and load one from a folder.

The only file that knows fastembed.
"""

from pathlib import Path

from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from fastembed.rerank.cross_encoder import TextCrossEncoder
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

from serve_app.core.errors import ConfigurationError, ModelUnavailable
from serve_app.embedding.registry import HubSource, ModelSpec
from serve_app.embedding.verification import MODEL_FILE, PREPARE_COMMAND

WEIGHTS_FILES = ("onnx/model.onnx", MODEL_FILE)
"""Where a folder of a reranker may hold its graph."""


def download(spec: ModelSpec, source: HubSource, cache: Path) -> Path:
    """The folder that holds the published files, downloaded into `cache` unless they are there.

    With HF_HUB_OFFLINE set nothing is downloaded. Raises ValueError when there is no such folder.
    """
    name = f"hub/{spec.name}"
    _register(name, spec, source.repository, spec.weights.path)
    # Lazy: the files are wanted, not a session.
    embedding = TextEmbedding(name, cache_dir=str(cache), lazy_load=True)
    # fastembed has no public name for it.
    return Path(vars(embedding.model)["_model_dir"])


def load(folder: Path, spec: ModelSpec, threads: int) -> tuple[InferenceSession, Tokenizer]:
    """The session on the processor and the tokenizer of a prepared model; nothing is downloaded.

    Raises what ONNX Runtime raises.
    """
    name = f"prepared/{spec.name}"
    _register(name, spec, "local/none", MODEL_FILE)
    embedding = TextEmbedding(
        name,
        threads=threads,
        providers=["CPUExecutionProvider"],
        specific_model_path=str(folder),
        local_files_only=True,
        # Without it every large tensor is new pages: a third more CPU for int8 in batches.
        enable_cpu_mem_arena=True,
    )
    model = embedding.model
    session: object = getattr(model, "model", None)
    tokenizer: object = getattr(model, "tokenizer", None)
    if not isinstance(session, InferenceSession) or not isinstance(tokenizer, Tokenizer):
        raise TypeError("this fastembed does not show its session and tokenizer")
    return session, tokenizer


def list_rerankers() -> list[str]:
    """The names of fastembed's own rerankers, all of which lie on a hub."""
    names = [str(model["model"]) for model in TextCrossEncoder.list_supported_models()]
    return [name for name in names if not is_folder(name)]


def is_folder(name: str) -> bool:
    """Whether a reranker's name is the absolute path of its folder."""
    return Path(name).expanduser().is_absolute()


def download_reranker(name: str, cache: Path) -> None:
    """Fetch a reranker into `cache` unless it is there.

    Raises ModelUnavailable, and ConfigurationError where there is none of this name.
    """
    _require_known(name)
    try:
        TextCrossEncoder(name, cache_dir=str(cache), lazy_load=True)
    except ValueError as error:
        raise ModelUnavailable(
            f"{name} could not be downloaded ({error}); "
            f"run `{PREPARE_COMMAND} {name}` where the hub can be reached"
        ) from error


def load_reranker(name: str, cache: Path, threads: int) -> TextCrossEncoder:
    """A reranker by fastembed's name from `cache`, or from the folder that `name` is.

    Nothing is downloaded. Raises as `download_reranker`.
    """
    folder = Path(name).expanduser() if is_folder(name) else None
    if folder is None:
        _require_known(name)
    try:
        return TextCrossEncoder(
            _register_folder(folder) if folder else name,
            cache_dir=str(cache),
            threads=threads,
            providers=["CPUExecutionProvider"],
            specific_model_path=str(folder) if folder else None,
            local_files_only=True,
            enable_cpu_mem_arena=False,
        )
    # ONNX Runtime's errors have no class in common.
    except Exception as error:
        advice = "" if folder else f"; run `{PREPARE_COMMAND} {name}`"
        raise ModelUnavailable(f"the reranker {name} is not usable: {error}{advice}") from error


def _require_known(name: str) -> None:
    known = list_rerankers()
    if name not in known:
        raise ConfigurationError(
            f"unknown reranker {name!r}; name the absolute path of a folder, or one of: "
            + ", ".join(known)
        )


def _register_folder(folder: Path) -> str:
    """Tell fastembed of the reranker in a folder, once, and give its name: the path."""
    found = [file for file in WEIGHTS_FILES if (folder / file).is_file()]
    if not found:
        raise FileNotFoundError(f"{folder} holds none of {', '.join(WEIGHTS_FILES)}")
    known = {str(model["model"]) for model in TextCrossEncoder.list_supported_models()}
    if str(folder) not in known:
        source = ModelSource(hf="local/none")
        TextCrossEncoder.add_custom_model(str(folder), sources=source, model_file=found[0])
    return str(folder)


def _register(name: str, spec: ModelSpec, repository: str, model_file: str) -> None:
    """Tell fastembed of the model, once; it does no pooling, for our graphs hold theirs."""
    known = {str(model["model"]) for model in TextEmbedding.list_supported_models()}
    if name in known:
        return
    TextEmbedding.add_custom_model(
        model=name,
        pooling=PoolingType.DISABLED,
        normalization=False,
        sources=ModelSource(hf=repository),
        dim=spec.dimension,
        model_file=model_file,
    )
