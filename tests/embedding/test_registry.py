import pytest

from serve_app.core.errors import ConfigurationError
from serve_app.embedding.registry import MODELS, find_model
from serve_app.settings import Settings


def test_finds_every_model_by_its_name():
    assert [find_model(name).name for name in MODELS] == list(MODELS)


def test_default_of_the_settings_is_known():
    assert find_model(Settings().embedding_model).dimension == 384


def test_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError) as refusal:
        find_model("all-minilm")
    assert all(name in refusal.value.message for name in MODELS)


def test_the_name_that_the_settings_store_is_known_in_every_precision():
    assert find_model(Settings(embedding_precision="int8").stored_model).precision == "int8"
    assert find_model(Settings().stored_model).precision == "fp32"


def test_a_precision_that_a_model_has_not_is_refused():
    settings = Settings(embedding_model="BAAI/bge-small-en-v1.5", embedding_precision="int8")
    with pytest.raises(ConfigurationError, match="all-MiniLM-L6-v2@int8"):
        find_model(settings.stored_model)
