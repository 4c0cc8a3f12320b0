"""/metrics tells of the whole cluster, in our names and labels only."""

from prometheus_client.parser import text_string_to_metric_families

from serve_app.telemetry import INSTRUMENTS
from tests.service.running import RunningService, wait_until

SEARCH = {"agent_id": "metrics", "user_id": "u", "query": "what is measured"}
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(service: RunningService) -> Samples:
    with service.client() as client:
        text = client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"fleetmem_{name}", tuple(sorted(labels.items()))), 0.0)


def read_settled(service: RunningService) -> Samples:
    """What is told once all that was counted before has been told: counts leave in their order."""
    marker = {"method": "HEAD", "route": "/v1/memories/batch", "status": "405"}
    before = value(read(service), "http_requests_total", **marker)
    with service.client() as client:
        client.head("/v1/memories/batch")
    wait_until(lambda: value(read(service), "http_requests_total", **marker) > before, 20)
    return read(service)


def test_what_every_deployment_counts_is_there(service: RunningService) -> None:
    route = {"method": "POST", "route": "/v1/memories/search", "status": "200"}
    before = read_settled(service)
    with service.client() as client:
        for number in range(3):
            client.post("/v1/memories/search", json=SEARCH | {"query": f"question {number}"})
    wait_until(
        lambda: (
            value(read(service), "http_requests_total", **route)
            == value(before, "http_requests_total", **route) + 3
        ),
        20,
    )
    wait_until(
        lambda: (
            value(read(service), "embedding_batch_size_count")
            > value(before, "embedding_batch_size_count")
        ),
        20,
    )


def test_searches_go_straight_to_both_deployments(service: RunningService) -> None:
    def count_direct(deployment: str) -> float:
        return value(read(service), "remote_calls_total", deployment=deployment, way="direct")

    before = {name: count_direct(name) for name in ("Embedding", "Retrieval")}
    with service.client() as client:
        for number in range(3):
            query = {"query": f"a question that goes straight, {number}"}
            assert client.post("/v1/memories/search", json=SEARCH | query).status_code == 200
    for name, count in before.items():
        wait_until(lambda name=name, count=count: count_direct(name) > count, 20)


def test_the_pool_is_gauged(service: RunningService) -> None:
    wait_until(lambda: value(read(service), "db_pool_idle") >= 1, 20)


def test_nothing_but_our_families_is_told(service: RunningService) -> None:
    with service.client() as client:
        names = {f.name for f in text_string_to_metric_families(client.get("/metrics").text)}
    assert names == {f"fleetmem_{name}" for name in INSTRUMENTS}
