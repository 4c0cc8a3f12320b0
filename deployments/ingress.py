"""Ingress: the HTTP door, and the verbs behind it."""

from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from deployments.metrics import ClusterMetrics, RayMeter
from deployments.scaling import REQUESTS_INSIDE
from deployments.world import open_service
from serve_app.api import threshold
from serve_app.asgi import create_asgi_app
from serve_app.logs import write_json_logs
from serve_app.settings import load_settings


@serve.deployment(
    name="Ingress",
    num_replicas=1,
    # HAProxy lets 4,096 in: more than ever are inside, so no request waits where nobody counts it.
    max_ongoing_requests=4096,
    ray_actor_options={"num_cpus": 0.5, "memory": 200 * 2**20},
    # A request that has begun is answered before its replica goes, whatever it waits for.
    graceful_shutdown_timeout_s=40,
    health_check_period_s=5,
)
@serve.ingress()
class Ingress:
    """Late-bound, so that the same application runs in tests without Ray.

    It holds Maintenance only so that Serve deploys it with the rest.
    """

    def __init__(
        self,
        config: str | None,
        embedding: DeploymentHandle[Any],
        retrieval: DeploymentHandle[Any],
        maintenance: DeploymentHandle[Any],
    ) -> None:
        self._settings = load_settings(config)
        write_json_logs(self._settings.log_level, self._settings.access_log)
        self._meter = RayMeter()
        self._service = open_service(embedding, retrieval, self._settings, self._meter)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve's question, once in a second or two: how much work is here."""
        # Through its module: Serve takes this class to the replica with copies of what it names.
        return {REQUESTS_INSIDE: threshold.DOORKEEPER.inside}

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return create_asgi_app(self._service, self._settings, ClusterMetrics(), self._meter)
