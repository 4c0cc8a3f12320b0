"""Replace every replica of a running service: `python -m tests.service.redeploy ADDRESS`.

To be run in the environment of the service's own Ray.
"""

import sys
from typing import Any

import ray
from ray import serve

from deployments.embedding import Embedding
from deployments.ingress import Ingress
from deployments.maintenance import Maintenance
from deployments.retrieval import Retrieval

LESS: dict[str, Any] = {"max_surge_percent": 100, "ray_actor_options": {"num_cpus": 0.2}}
"""Other resources make other replicas; the new ones come before the old ones go."""


def redeploy() -> None:
    """Return when the new replicas serve."""
    embedding: Any = Embedding.options(**LESS)
    retrieval: Any = Retrieval.options(**LESS)
    inner = embedding.bind(None), retrieval.bind(None)
    ingress: Any = Ingress.options(**LESS)
    serve.run(ingress.bind(None, *inner, Maintenance.bind(None, *inner)), name="fleetmem")


if __name__ == "__main__":
    # "auto" would take any Ray of this machine.
    ray.init(address=sys.argv[1], log_to_driver=False)
    redeploy()
    ray.shutdown()
