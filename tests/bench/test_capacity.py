import pytest

from bench.capacity import Bytes, Costs, predict_rate, predict_storage, read_bytes, read_costs

COSTS = Costs(search_ms=4.0, write_ms=8.0, idle_cores=0.2)


def test_a_rate_is_what_cores_can_pay_for() -> None:
    # 2 cores at 85 % without 0.2 idle are 1.5 CPU-seconds a second; three searches and a write
    # are 20 CPU-ms.
    assert predict_rate(1, 2, COSTS) == pytest.approx(300)
    assert predict_rate(1, 2, COSTS, search_share=1.0) == pytest.approx(375)
    assert predict_rate(3, 2, COSTS) == pytest.approx(900)


def test_a_node_must_do_more_than_idle() -> None:
    with pytest.raises(ValueError, match="more cores"):
        predict_rate(1, 1, Costs(4.0, 8.0, idle_cores=0.9))


def test_storage_grows_with_memories_and_with_what_is_indexed() -> None:
    each = read_bytes(
        {"bytes_each": {"memories": 9, "a heap": 700, "b heap": 300, "a indexes": 100}}
    )
    assert each == Bytes(1000, 100)
    plain, indexed = predict_storage(2**30, each, 0.0), predict_storage(2**30, each, 0.5)
    assert (plain.disk_gib, plain.memory_gib) == (1100, 100)
    assert (indexed.disk_gib, indexed.memory_gib) == (1656.5, 656.5)


def test_costs_are_read_without_what_idling_takes() -> None:
    rows = [
        {"workload": "unique", "callers": 64, "cpu_ms": 5.0, "requests_per_second": 200.0},
        {"workload": "mixed", "callers": 64, "cpu_ms": 6.0, "requests_per_second": 200.0},
        {"workload": "unique", "callers": 1, "cpu_ms": 99.0, "requests_per_second": 1.0},
    ]
    costs = read_costs({"rows": rows, "idle_cores": 0.2})
    assert (costs.search_ms, costs.write_ms) == (pytest.approx(4.0), pytest.approx(8.0))
