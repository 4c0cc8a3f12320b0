from pathlib import Path

import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.settings import PREDECESSOR_NAMES, Settings, load_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PREDECESSOR_NAMES:
        monkeypatch.delenv(name, raising=False)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FLEETMEM_{name.upper()}", raising=False)
    monkeypatch.delenv("FLEETMEM_CONFIG", raising=False)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_the_defaults_are_those_of_memex() -> None:
    settings = load_settings()
    assert settings.db_min_pool_size == 5
    assert settings.db_max_pool_size == 20
    assert settings.default_alpha == 0.7
    assert settings.default_top_k == 10
    assert settings.recency_half_life_days == 30
    assert settings.summarization_threshold == 100
    assert settings.summarization_batch_size == 50
    assert settings.summarization_interval_seconds == 300


def test_our_name_outranks_a_predecessors_and_both_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(
        "FLEETMEM_CONFIG",
        write(tmp_path / "c.yaml", "default_top_k: 3\ndefault_alpha: 0.1\nindex: hnsw"),
    )
    monkeypatch.setenv("DEFAULT_TOP_K", "4")
    monkeypatch.setenv("DEFAULT_ALPHA", "0.2")
    monkeypatch.setenv("FLEETMEM_DEFAULT_ALPHA", "0.3")
    settings = load_settings()
    assert (settings.index, settings.default_top_k, settings.default_alpha) == ("hnsw", 4, 0.3)


@pytest.mark.parametrize(("theirs", "ours"), PREDECESSOR_NAMES.items())
def test_every_predecessor_name_is_a_setting(theirs: str, ours: str) -> None:
    assert ours in Settings.model_fields


def test_the_database_address_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@db/x")
    assert "secret" not in repr(load_settings())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("default_top_q: 3", "default_top_q"),
        ("default_alpha: 2", "default_alpha"),
        ("database_url: postgresql://me:secret@db/x", "FLEETMEM_DATABASE_URL"),
        ("- a\n- b", "name: value"),
        ("a: [", "cannot read"),
    ],
)
def test_a_wrong_file_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, words: str
) -> None:
    monkeypatch.setenv("FLEETMEM_CONFIG", write(tmp_path / "c.yaml", text))
    with pytest.raises(ConfigurationError, match=words) as refusal:
        load_settings()
    assert "secret" not in str(refusal.value)


def test_a_missing_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETMEM_CONFIG", "/nowhere/c.yaml")
    with pytest.raises(ConfigurationError, match=r"/nowhere/c\.yaml"):
        load_settings()


@pytest.mark.parametrize("name", ["development", "production", "test"])
def test_the_shipped_files_are_valid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    root = Path(__file__).parent.parent
    monkeypatch.setenv("FLEETMEM_CONFIG", str(root / f"configs/{name}.yaml"))
    load_settings()


def test_another_precision_is_stored_as_another_model() -> None:
    assert load_settings().stored_model == "sentence-transformers/all-MiniLM-L6-v2"
    int8 = load_settings(embedding_precision="int8")
    assert int8.stored_model == "sentence-transformers/all-MiniLM-L6-v2@int8"


def test_int8_on_a_gpu_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="runs on the cpu alone"):
        load_settings(embedding_precision="int8", embedding_device="cuda")
