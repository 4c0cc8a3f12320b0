"""The graph of deployments: what `serve run` and `fleetmem up` bring up."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict
from ray.serve import Application, Deployment

from deployments.embedding import Embedding
from deployments.ingress import Ingress
from deployments.maintenance import Maintenance
from deployments.retrieval import Retrieval
from serve_app.core.errors import ConfigurationError

ROOT = Path(__file__).parent.parent


class AppArguments(BaseModel):
    """The `args` of serve_config.yaml: how it behaves. How big it is stands beside them."""

    model_config = ConfigDict(extra="forbid")

    config: str | None = None


def build_app(args: AppArguments) -> Application:
    """Bind the graph; replicas read their settings themselves, so no secret is an argument."""
    return _bind(_find_config(args.config), Ingress)


def build_local_app(ingress_replicas: int) -> Application:
    """The graph as `fleetmem up` starts it, where no serve_config.yaml tells how big it is."""
    return _bind(None, Ingress.options(num_replicas=ingress_replicas))


def _bind(config: str | None, ingress: Deployment) -> Application:
    embedding = Embedding.bind(config)
    retrieval = Retrieval.bind(config)
    maintenance = Maintenance.bind(config, embedding, retrieval)
    return ingress.bind(config, embedding, retrieval, maintenance)


def _find_config(config: str | None) -> str | None:
    """The file's absolute path, looked up here and beside the code; None takes FLEETMEM_CONFIG."""
    if config is None:
        return None
    for path in (Path(config), ROOT / config):
        if path.is_file():
            return str(path.resolve())
    raise ConfigurationError(f"there is no configuration file {config}")
