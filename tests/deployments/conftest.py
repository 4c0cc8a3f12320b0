"""What the tests of deployments share."""

import pytest
import ray.util


@pytest.fixture
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replicas open their doors on loopback, without a Ray that says where they are."""
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "127.0.0.1")
