"""Every knob, typed, with its one default.

A value comes from, first match wins: the environment (`FLEETMEM_` and the name in capitals), a
predecessor's own environment name, the YAML file named by FLEETMEM_CONFIG, the default.
Secrets (the database URL) come from the environment only.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from serve_app.core.errors import ConfigurationError
from serve_app.core.rate_limits import LimitRules, parse_optional

IndexKind = Literal["ivfflat", "hnsw"]
Precision = Literal["fp32", "int8"]

CONFIG_FILE = "FLEETMEM_CONFIG"

SECRETS = {"database_url", "owner_database_url", "rate_limit_redis_url", "embedding_cache_url"}

PREDECESSOR_NAMES = {
    "DATABASE_URL": "database_url",
    "DB_MIN_POOL_SIZE": "db_min_pool_size",
    "DB_MAX_POOL_SIZE": "db_max_pool_size",
    "DB_COMMAND_TIMEOUT": "db_command_timeout",
    "EMBEDDING_MODEL": "embedding_model",
    "DEFAULT_TOP_K": "default_top_k",
    "DEFAULT_ALPHA": "default_alpha",
    "RECENCY_DECAY_DAYS": "recency_half_life_days",
    "RATE_LIMIT_WRITES_PER_MINUTE": "rate_limit_agent_writes",
    "RATE_LIMIT_SEARCHES_PER_MINUTE": "rate_limit_agent_searches",
    "SUMMARIZATION_ENABLED": "summarization_enabled",
    "SUMMARIZATION_THRESHOLD": "summarization_threshold",
    "SUMMARIZATION_BATCH_SIZE": "summarization_batch_size",
    "SUMMARIZATION_INTERVAL_SECONDS": "summarization_interval_seconds",
}
"""What memex calls a knob, and what we call it."""


def _read_limit(value: object) -> str | None:
    """A limit in its one form; raises ValueError."""
    limit = None if value is None else parse_optional(str(value))
    return None if limit is None else str(limit)


LimitText = Annotated[str | None, BeforeValidator(_read_limit)]


class Settings(BaseSettings):
    """The configuration of one process; `load_settings` reads it."""

    model_config = SettingsConfigDict(env_prefix="FLEETMEM_", extra="forbid", frozen=True)

    database_url: SecretStr | None = Field(None, description="Postgres DSN; environment only")
    owner_database_url: SecretStr | None = Field(
        None,
        description="DSN of the role that owns the tables, for migrations and index builds; "
        "unset: database_url; environment only",
    )
    db_min_pool_size: int = Field(5, ge=1, description="connections a Retrieval replica keeps")
    db_max_pool_size: int = Field(20, ge=1, description="connections a Retrieval replica may open")
    db_command_timeout: float = Field(10.0, gt=0, description="seconds a statement may take")
    db_connect_timeout: float = Field(
        5.0, gt=0, description="seconds a connection may take to open"
    )

    embedding_model: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2", description="a name in the registry of models"
    )
    embedding_precision: Precision = Field(
        "fp32", description="numbers of the matrix products; int8 is faster and another model"
    )
    embedding_device: Literal["cpu", "cuda"] = Field("cpu", description="where ONNX runs")
    embedding_threads: int = Field(
        1, ge=0, description="ONNX threads of one replica; 0 takes the cores it may use"
    )
    embedding_lone_text_threads: int = Field(
        2, ge=1, description="ONNX threads of a text that comes alone to idle cores; fp32 only"
    )
    embedding_batch_tokens: int = Field(512, ge=16, description="padded tokens of one batch")
    embedding_queue_limit: int = Field(
        4096, ge=1, description="texts that may wait in one replica before it refuses more"
    )
    embedding_cache_size: int = Field(
        10_000, ge=0, description="query vectors an ingress replica keeps; 0 keeps none"
    )
    embedding_cache_url: SecretStr | None = Field(
        None, description="Redis in which replicas share vectors; unset: none; environment only"
    )
    embedding_cache_seconds: int = Field(
        604_800, ge=1, description="seconds a shared vector is kept unless Redis evicts it"
    )
    model_directory: Path = Field(
        Path("~/.cache/fleetmem/models"), description="where prepared models lie"
    )

    default_top_k: int = Field(10, ge=1, le=50, description="hits where a search names no top_k")
    default_alpha: float = Field(
        0.7, ge=0, le=1, description="weight of similarity where a search names no alpha"
    )
    default_profile: Literal["decay", "blend", "hybrid", "conversation"] = Field(
        "decay", description="how a search ranks that names no profile"
    )
    recency_half_life_days: float = Field(30.0, gt=0, description="days until recency has halved")

    reranker_model: str = Field(
        "", description="a reranker of fastembed's, or the path of its folder; empty: none"
    )
    rerank_candidates: int = Field(30, ge=1, le=200, description="hits that a reranker is given")
    rerank_deadline_seconds: float = Field(
        0.5, gt=0, description="seconds after which a search goes without its reranker"
    )

    session_gap_seconds: float = Field(
        3600.0, gt=0, description="seconds without a memory that end a session without a session_id"
    )
    search_language: str = Field(
        "english", description="text search configuration of scopes that are made from now on"
    )

    index: IndexKind = Field("ivfflat", description="kind of the vector index of large scopes")
    exact_scope_rows: int = Field(
        8000, ge=0, description="vectors up to which a scope is ranked in full"
    )
    index_min_rows: int = Field(
        20_000, ge=0, description="vectors in the table before an index is built at all"
    )
    index_tend_seconds: float = Field(
        300.0, gt=0, description="seconds between two looks at the vector index"
    )

    summarization_enabled: bool = Field(True, description="whether old memories are folded")
    summarization_threshold: int = Field(
        100, ge=1, description="episodic memories of a scope above which it is folded"
    )
    summarization_batch_size: int = Field(50, ge=2, description="memories folded at a time")
    summarization_interval_seconds: float = Field(
        300.0, gt=0, description="seconds between two wakings of the summariser"
    )
    summarization_lease_seconds: int = Field(
        60, ge=1, description="seconds one summariser may hold a scope"
    )

    up_ingress_replicas: int = Field(
        1, ge=1, description="Ingress replicas of `fleetmem up`; elsewhere serve_config.yaml says"
    )
    request_timeout_seconds: float = Field(
        30.0, gt=0, description="seconds after which a request is answered 503"
    )
    max_body_bytes: int = Field(262_144, ge=1024, description="bytes of a body; more is 413")
    max_batch_body_bytes: int = Field(
        16_777_216, ge=1024, description="bytes of a batch's body; more is 413"
    )
    max_concurrent_requests: int = Field(
        1024, ge=1, description="requests an ingress replica works on; more get 503 at once"
    )
    admission_wait_seconds: float = Field(
        0.5,
        gt=0,
        description="expected wait above which requests get 503; a third in a lasting overload",
    )

    rate_limit_tenant: LimitText = Field(
        None, description="calls of a tenant as `N/unit` (docs/limits.md); unset: no limit"
    )
    rate_limit_key: LimitText = Field(None, description="calls with one key")
    rate_limit_agent_writes: LimitText = Field(
        None, description="writes of one agent; memex's default was 60/minute"
    )
    rate_limit_agent_searches: LimitText = Field(
        None, description="searches of one agent; memex's default was 120/minute"
    )
    rate_limit_agent_reads: LimitText = Field(None, description="other reads of one agent")
    rate_limit_redis_url: SecretStr | None = Field(
        None, description="Redis that counts calls instead of Postgres; environment only"
    )

    idempotency_hours: int = Field(
        24, ge=1, description="hours for which an idempotency key is known at least"
    )

    allowed_hosts: str | None = Field(
        None,
        description="host names by commas, `*.` for all below, `*` for any; "
        "unset: loopback names under `loopback_only`, else any",
    )
    allowed_origins: str | None = Field(
        None, description="origins by commas whose web pages may call, `*` for any; unset: none"
    )
    loopback_only: bool = Field(
        False, description="whether only this machine is served; `fleetmem up` sets it"
    )
    hsts_seconds: int = Field(
        0, ge=0, description="seconds for which browsers must use TLS; only behind TLS"
    )

    insecure_open: bool = Field(
        False,
        description="whether everybody is let in, beyond this machine too, until a key is made",
    )
    failed_keys_per_minute: int = Field(
        60, ge=1, description="requests without a valid key of one address before it gets 429"
    )

    access_log: bool = Field(
        False, description="whether every request is logged; failed ones always are"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least severity that is written"
    )

    @property
    def stored_model(self) -> str:
        """The name beside every vector, and in the registry: another precision is another model."""
        if self.embedding_precision == "fp32":
            return self.embedding_model
        return f"{self.embedding_model}@{self.embedding_precision}"

    @property
    def open_allowed(self) -> bool:
        """Whether everybody may come in as long as no key was ever made."""
        return self.loopback_only or self.insecure_open

    @property
    def limit_rules(self) -> LimitRules:
        """The limits of every tenant for which nothing else is set."""
        limits = {name: getattr(self, f"rate_limit_{name}") for name in LimitRules.__slots__}
        return LimitRules().change({name: text for name, text in limits.items() if text})

    @model_validator(mode="after")
    def _require_precision_of_device(self) -> Self:
        if self.embedding_device == "cuda" and "@" in self.stored_model:
            raise ValueError(
                f"{self.stored_model} runs on the cpu alone; cuda has a precision of its own"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments outrank our environment names, those a predecessor's, those the file."""
        predecessors = InitSettingsSource(settings_cls, _read_predecessor_names())
        file = InitSettingsSource(settings_cls, _read_config(os.environ.get(CONFIG_FILE)))
        return init_settings, env_settings, predecessors, file


def _read_predecessor_names() -> dict[str, Any]:
    """The knobs that the environment sets under a predecessor's name."""
    return {
        ours: os.environ[theirs]
        for theirs, ours in PREDECESSOR_NAMES.items()
        if theirs in os.environ
    }


def _read_config(path: str | None) -> dict[str, Any]:
    """The file's keys; raises ConfigurationError for a missing file, a secret or bad YAML."""
    if not path:
        return {}
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"cannot read the configuration file {path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path} must hold `name: value` lines")
    for secret in SECRETS & values.keys():
        raise ConfigurationError(f"take {secret} out of {path}: set FLEETMEM_{secret.upper()}")
    return values


def load_settings(config: str | None = None, **overrides: Any) -> Settings:
    """The settings of this process; raises ConfigurationError that names each wrong knob.

    `config` names the file where FLEETMEM_CONFIG doesn't.
    """
    if config:
        os.environ.setdefault(CONFIG_FILE, config)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise ConfigurationError(f"wrong settings: {wrong}") from error
