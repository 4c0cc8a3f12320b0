"""The probe asks for the model that the Embedding deployment has."""

from typing import Any

from bench.embedding_probe import open_embedder
from serve_app.settings import load_settings


def test_the_probe_asks_for_the_model_of_the_settings() -> None:
    nobody: Any = None
    assert open_embedder(nobody).model == load_settings(None).stored_model
