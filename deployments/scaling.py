"""How many replicas: by the work that they have, which Serve itself does not see.

A call to Embedding brings one text or sixty-four, so a count of calls says nothing about work; most
requests to Ingress go past Serve (serve_app/api/threshold.py), and so do the busiest calls between
deployments (direct_handle.py). Serve pickles this whole module into its controller: it may import
nothing of ours.
"""

from typing import Any

from ray.serve.config import AutoscalingContext

TEXTS_IN_FLIGHT = "texts_in_flight"
"""What `record_autoscaling_stats` of a replica calls its number."""

TEXTS_PER_REPLICA = 32
"""A short text takes 3 to 6 ms of a core: the last of 32 waits between 0.1 and 0.2 seconds."""


REQUESTS_INSIDE = "requests_inside"
"""The same for a replica of Ingress; serve_config.yaml says how many make another replica."""


CALLS_IN_FLIGHT = "calls_in_flight"
"""The same for a replica of Retrieval: the calls that Serve does not see."""

CALLS_PER_REPLICA = 3


class InFlightPolicy:
    """Wants as many replicas as bring what each has of `name` down to `per_replica`.

    `with_calls` adds the calls that go through Serve.
    """

    def __init__(self, name: str, per_replica: float, with_calls: bool = False) -> None:
        self._name = name
        self._per_replica = per_replica
        self._with_calls = with_calls

    def __call__(self, context: AutoscalingContext) -> tuple[float, dict[str, Any]]:
        """The wanted count before Serve's delays and bounds, and no state.

        Serve gives each replica's mean over the look-back period; their sum is the whole work,
        however it is spread. As long as no replica has told, everything stays as it is.
        """
        told = (context.aggregated_metrics or {}).get(self._name)
        if not told:
            return context.target_num_replicas, {}
        calls = context.total_num_requests if self._with_calls else 0
        return (sum(told.values()) + calls) / self._per_replica, {}


EMBEDDING_SCALING: dict[str, Any] = {
    "min_replicas": 1,
    "max_replicas": 2,
    "policy": {
        "policy_function": "deployments.scaling:InFlightPolicy",
        "policy_kwargs": {"name": TEXTS_IN_FLIGHT, "per_replica": TEXTS_PER_REPLICA},
    },
    # A new replica needs ten seconds to start: to look longer than five would double the wait.
    "metrics_interval_s": 2,
    "look_back_period_s": 5,
    "upscale_delay_s": 5,
    # Too early in means ten seconds of too few; too late in costs only memory.
    "downscale_delay_s": 120,
}
"""One laptop's; serve_config.yaml differs in `max_replicas` only."""

RETRIEVAL_SCALING: dict[str, Any] = EMBEDDING_SCALING | {
    "policy": {
        "policy_function": "deployments.scaling:InFlightPolicy",
        "policy_kwargs": {
            "name": CALLS_IN_FLIGHT,
            "per_replica": CALLS_PER_REPLICA,
            "with_calls": True,
        },
    },
}
"""One laptop's, too."""
