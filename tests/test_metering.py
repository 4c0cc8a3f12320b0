import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serve_app.metering import PrometheusMeter, aggregate
from serve_app.telemetry import BATCH_BUCKETS, INSTRUMENTS, PREFIX

RAY = 'Component="core_worker",NodeAddress="10.0.0.1",SessionName="s",Version="2.60.0"'

NODE = f"""\
# HELP ray_serve_num_http_requests_total not ours
# TYPE ray_serve_num_http_requests_total counter
ray_serve_num_http_requests_total{{WorkerId="a"}} 99.0
# HELP ray_fleetmem_memory_operations (DEPRECATED, use ray_fleetmem_memory_operations_total)
# TYPE ray_fleetmem_memory_operations gauge
ray_fleetmem_memory_operations{{operation="create",WorkerId="a",{RAY}}} 3.0
# HELP ray_fleetmem_memory_operations_total memories touched
# TYPE ray_fleetmem_memory_operations_total counter
ray_fleetmem_memory_operations_total{{operation="create",WorkerId="a",{RAY}}} 3.0
ray_fleetmem_memory_operations_total{{operation="create",WorkerId="b",{RAY}}} 4.0
ray_fleetmem_memory_operations_total{{operation="search",WorkerId="b",{RAY}}} 1.0
# HELP ray_fleetmem_db_pool_idle connections that wait
# TYPE ray_fleetmem_db_pool_idle gauge
ray_fleetmem_db_pool_idle{{WorkerId="a",{RAY}}} 5.0
# HELP ray_fleetmem_embedding_batch_size texts of one batch
# TYPE ray_fleetmem_embedding_batch_size histogram
ray_fleetmem_embedding_batch_size_bucket{{le="1.0",WorkerId="a",{RAY}}} 2.0
ray_fleetmem_embedding_batch_size_bucket{{le="2.0",WorkerId="a",{RAY}}} 3.0
ray_fleetmem_embedding_batch_size_bucket{{le="+Inf",WorkerId="a",{RAY}}} 3.0
ray_fleetmem_embedding_batch_size_count{{WorkerId="a",{RAY}}} 3.0
ray_fleetmem_embedding_batch_size_sum{{WorkerId="a",{RAY}}} 4.0
# HELP ray_fleetmem_of_another_version unknown here
# TYPE ray_fleetmem_of_another_version gauge
ray_fleetmem_of_another_version{{WorkerId="a"}} 1.0
"""


def samples(text: str) -> dict[str, float]:
    """The lines of a text that carry a number, by their name and labels."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def types(text: str) -> dict[str, str]:
    lines = [line.split() for line in text.splitlines() if line.startswith("# TYPE ")]
    return {line[2]: line[3] for line in lines}


def expected_types() -> dict[str, str]:
    return {
        PREFIX + name + ("_total" if instrument.kind == "counter" else ""): instrument.kind
        for name, instrument in INSTRUMENTS.items()
    }


def test_replicas_and_nodes_are_summed_by_our_labels_alone():
    told = samples(aggregate([NODE, NODE]))
    assert told == {
        'fleetmem_memory_operations_total{operation="create"}': 14.0,
        'fleetmem_memory_operations_total{operation="search"}': 2.0,
        "fleetmem_db_pool_idle": 10.0,
        'fleetmem_embedding_batch_size_bucket{le="1.0"}': 4.0,
        'fleetmem_embedding_batch_size_bucket{le="2.0"}': 6.0,
        'fleetmem_embedding_batch_size_bucket{le="+Inf"}': 6.0,
        "fleetmem_embedding_batch_size_count": 6.0,
        "fleetmem_embedding_batch_size_sum": 8.0,
    }


def test_buckets_rise_in_their_order():
    text = aggregate([NODE])
    bounds = [line for line in text.splitlines() if "_bucket{" in line]
    assert [line.split('"')[1] for line in bounds] == ["1.0", "2.0", "+Inf"]


def test_every_family_is_declared_even_without_a_sample():
    assert types(aggregate([])) == expected_types()
    assert samples(aggregate(["", "\n"])) == {}


def test_the_sum_is_read_by_the_parser_of_prometheus():
    families = {family.name: family for family in text_string_to_metric_families(aggregate([NODE]))}
    assert families["fleetmem_memory_operations"].type == "counter"
    assert families["fleetmem_embedding_batch_size"].type == "histogram"


def test_a_label_that_is_missing_is_empty():
    text = "ray_fleetmem_memory_operations_total 2.0"
    assert samples(aggregate([text])) == {'fleetmem_memory_operations_total{operation=""}': 2.0}


def test_values_of_labels_are_escaped():
    text = r'ray_fleetmem_embedding_errors_total{error="a\"b\\c"} 1.0'
    assert samples(aggregate([text])) == {r'fleetmem_embedding_errors_total{error="a\"b\\c"}': 1.0}


async def test_what_a_meter_exports_is_summed_to_itself():
    meter = PrometheusMeter()
    meter.count("embedding_cache", 2, outcome="hit")
    meter.observe("http_request_duration_seconds", 0.003, method="GET", route="/")
    meter.gauge("db_pool_in_use", 4)
    text = await meter.exposition()
    exported = "\n".join(
        line.replace("fleetmem_", "ray_fleetmem_", 1) for line in text.splitlines()
    )
    told = samples(aggregate([exported]))
    assert told == {name: told[name] for name in samples(text) if "_created" not in name}


async def test_a_meter_exposes_every_family():
    assert expected_types().items() <= types(await PrometheusMeter().exposition()).items()


async def test_a_histogram_has_the_buckets_of_telemetry():
    meter = PrometheusMeter()
    meter.observe("embedding_batch_size", 3)
    told = samples(await meter.exposition())
    for bound in BATCH_BUCKETS:
        name = f'fleetmem_embedding_batch_size_bucket{{le="{bound}"}}'
        assert told[name] == (1.0 if bound >= 3 else 0.0)


async def test_meters_share_nothing():
    one, other = PrometheusMeter(), PrometheusMeter()
    one.count("embedding_cache", outcome="hit")
    assert "hit" not in await other.exposition()


@pytest.mark.parametrize(
    ("name", "labels"), [("unheard_of", {}), ("embedding_cache", {"user": "u"})]
)
async def test_what_telemetry_does_not_list_is_logged_and_dropped(
    name: str, labels: dict[str, str], caplog: pytest.LogCaptureFixture
):
    meter = PrometheusMeter()
    before = await meter.exposition()
    meter.count(name, **labels)
    assert await meter.exposition() == before
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
