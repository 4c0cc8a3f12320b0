"""The policy, fed with what Serve's controller would tell it, inside Serve's own wrapping."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve._private.autoscaling_state import _resolve_policy_callable
from ray.serve._private.common import DeploymentID, ReplicaID
from ray.serve.autoscaling_policy import _apply_autoscaling_config
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from deployments.embedding import Embedding
from deployments.ingress import Ingress
from deployments.retrieval import Retrieval
from deployments.scaling import (
    CALLS_IN_FLIGHT,
    EMBEDDING_SCALING,
    REQUESTS_INSIDE,
    RETRIEVAL_SCALING,
    TEXTS_IN_FLIGHT,
    InFlightPolicy,
)

DEPLOYMENT = DeploymentID("Embedding", "fleetmem")
CONFIG = AutoscalingConfig(**EMBEDDING_SCALING)
POLICY = InFlightPolicy(TEXTS_IN_FLIGHT, 32)


def context(texts: list[float] | None, replicas: int = 1, **fields: Any) -> AutoscalingContext:
    ids = [ReplicaID(str(number), DEPLOYMENT) for number in range(replicas)]
    told = None if texts is None else dict(zip(ids, texts, strict=False))
    values: dict[str, Any] = {
        "deployment_id": DEPLOYMENT,
        "deployment_name": DEPLOYMENT.name,
        "app_name": DEPLOYMENT.app_name,
        "current_num_replicas": replicas,
        "target_num_replicas": replicas,
        "running_replicas": ids,
        "total_num_requests": 0.0,
        "total_queued_requests": 0.0,
        "aggregated_metrics": {} if told is None else {TEXTS_IN_FLIGHT: told},
        "raw_metrics": {},
        "capacity_adjusted_min_replicas": CONFIG.min_replicas,
        "capacity_adjusted_max_replicas": CONFIG.max_replicas,
        "policy_state": {},
        "last_scale_up_time": None,
        "last_scale_down_time": None,
        "current_time": 0.0,
        "config": CONFIG,
    }
    return AutoscalingContext(**values | fields)


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [([0.0], 0), ([32.0], 1), ([64.0], 2), ([33.0, 31.0], 2), ([100.0, 0.0], 100 / 32)],
)
def test_replicas_follow_the_sum_of_texts(texts: list[float], wanted: float) -> None:
    assert POLICY(context(texts, len(texts)))[0] == wanted


def test_calls_count_for_nothing() -> None:
    """Two calls may bring 2 texts or 128."""
    few = context([2.0], total_num_requests=1000.0)
    assert POLICY(few)[0] == 2 / 32


@pytest.mark.parametrize("replicas", [1, 2])
def test_what_is_not_told_changes_nothing(replicas: int) -> None:
    assert POLICY(context(None, replicas))[0] == replicas


def test_serve_applies_delays_around_it() -> None:
    policy = _apply_autoscaling_config(_resolve_policy_callable(CONFIG.policy))
    state: dict[str, Any] = {}
    wanted, state = policy(context([64.0], policy_state=state))
    assert wanted == 1
    long_ago = {key: 0.0 if "timestamp" in key else value for key, value in state.items()}
    assert policy(context([64.0], policy_state=long_ago))[0] == 2


def test_the_deployment_scales_by_this_policy() -> None:
    config: Any = Embedding
    scaling = AutoscalingConfig(**dict(config._deployment_config.autoscaling_config))
    assert _resolve_policy_callable(scaling.policy)(context([64.0])) == (2, {})


def test_retrieval_scales_by_the_calls_of_both_ways() -> None:
    deployment: Any = Retrieval
    scaling = AutoscalingConfig(**dict(deployment._deployment_config.autoscaling_config))
    told = {CALLS_IN_FLIGHT: {ReplicaID("0", DEPLOYMENT): 5.0}}
    there = context(None, aggregated_metrics=told, total_num_requests=4.0)
    assert _resolve_policy_callable(scaling.policy)(there) == (3, {})
    assert hasattr(deployment.func_or_class, "record_autoscaling_stats")


def read_scaling(deployment: str) -> dict[str, Any]:
    """What serve_config.yaml says of it."""
    path = Path(__file__).parents[2] / "serve_config.yaml"
    [application] = yaml.safe_load(path.read_text())["applications"]
    [found] = [one for one in application["deployments"] if one["name"] == deployment]
    return found["autoscaling_config"]


def test_a_cluster_differs_in_its_bounds_only() -> None:
    written = read_scaling("Embedding")
    assert {**written, "max_replicas": 0} == {**EMBEDDING_SCALING, "max_replicas": 0}
    assert read_scaling("Retrieval")["policy"] == RETRIEVAL_SCALING["policy"]


def test_the_ingress_scales_by_what_is_inside() -> None:
    policy = _resolve_policy_callable(AutoscalingConfig(**read_scaling("Ingress")).policy)
    inside = {
        REQUESTS_INSIDE: {ReplicaID("0", DEPLOYMENT): 200.0, ReplicaID("1", DEPLOYMENT): 56.0}
    }
    assert policy(context(None, 2, aggregated_metrics=inside))[0] == 2
    deployment: Any = Ingress
    assert hasattr(deployment.func_or_class, "record_autoscaling_stats")
