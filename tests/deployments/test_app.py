"""serve_config.yaml and serving.env, held against the code and against Serve's own schema."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ServeDeploySchema

from deployments.app import AppArguments, build_app
from serve_app.core.errors import ConfigurationError
from serve_app.local.serving import SERVING_ENVIRONMENT

ROOT = Path(__file__).parent.parent.parent
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text())


def unknown_keys(values: Any, model: type[BaseModel], path: str = "") -> list[str]:
    """Keys that the schema would silently ignore."""
    return [f"{path}{key}" for key in values if key not in model.model_fields]


def test_the_configuration_is_what_serve_reads() -> None:
    schema = ServeDeploySchema.model_validate(CONFIG)
    unknown = unknown_keys(CONFIG, ServeDeploySchema)
    for values, application in zip(CONFIG["applications"], schema.applications, strict=True):
        unknown += unknown_keys(values, type(application), "application.")
        for sizes, deployment in zip(values["deployments"], application.deployments, strict=True):
            unknown += unknown_keys(sizes, type(deployment), f"{sizes['name']}.")
            scaling = sizes.get("autoscaling_config", {})
            unknown += unknown_keys(scaling, AutoscalingConfig, f"{sizes['name']}.autoscaling.")
    assert unknown == []


def test_a_misspelt_key_would_be_found() -> None:
    assert unknown_keys({"min_replica": 1}, AutoscalingConfig) == ["min_replica"]


def test_every_deployment_of_the_configuration_exists() -> None:
    named = {deployment["name"] for deployment in CONFIG["applications"][0]["deployments"]}
    assert named == {"Ingress", "Embedding", "Retrieval", "Maintenance"}
    assert CONFIG["applications"][0]["import_path"] == "deployments.app:build_app"


def test_the_ingress_holds_the_graph() -> None:
    application = build_app(AppArguments(config="configs/test.yaml"))
    assert application._bound_deployment.name == "Ingress"


def test_a_missing_configuration_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        build_app(AppArguments(config="nowhere.yaml"))


def test_misspelt_arguments_are_refused() -> None:
    with pytest.raises(ValidationError):
        AppArguments.model_validate({"configg": "x"})


def test_serving_env_is_the_environment_of_up() -> None:
    lines = (ROOT / "serving.env").read_text().splitlines()
    written = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert written == SERVING_ENVIRONMENT
