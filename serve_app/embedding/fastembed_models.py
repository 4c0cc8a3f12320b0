"""What fastembed does for us: download a model from its hub, and load one from a folder.

The only file that knows fastembed.
"""

from pathlib import Path

from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

from serve_app.embedding.registry import HubSource, ModelSpec
from serve_app.embedding.verification import MODEL_FILE


def download(spec: ModelSpec, source: HubSource, cache: Path) -> Path:
    """The folder that holds the published files, downloaded into `cache` unless they are there.

    With HF_HUB_OFFLINE set nothing is downloaded. Raises ValueError when there is no such folder.
    """
    name = f"hub/{spec.name}"
    _register(name, spec, source.repository, spec.weights.path)
    # Lazy: the files are wanted, not a session.
    embedding = TextEmbedding(name, cache_dir=str(cache), lazy_load=True)
    # fastembed has no public name for it.
    return Path(getattr(embedding.model, "_model_dir"))  # noqa: B009  # pyright knows no such name


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
        # The arena keeps the largest shape ever seen: 451 MB against 181 MB, and no faster.
        enable_cpu_mem_arena=False,
    )
    model = embedding.model
    session: object = getattr(model, "model", None)
    tokenizer: object = getattr(model, "tokenizer", None)
    if not isinstance(session, InferenceSession) or not isinstance(tokenizer, Tokenizer):
        raise TypeError("this fastembed does not show its session and tokenizer")
    return session, tokenizer


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
