"""CPU of the processes of a kind."""

import pytest

from tests.bench.cores import Sample

CORES = {"gateway-1": 0.4, "gateway-2": 0.2, "task_service": 0.5, "import_worker-1": 0.1, "postgres": 0.9}
SAMPLE = Sample(rate=1000, cores_by_process=CORES, generator_cores=0.1, machine=1.0)


def test_replicas_of_a_kind_count_together():
    assert SAMPLE.cores("gateway") == pytest.approx(0.6)
    assert SAMPLE.cores("task_service") == 0.5
    assert SAMPLE.cpu_ms("gateway") == pytest.approx(0.6)


def test_busiest_process_is_one_of_python():
    """Postgres has a process for each connection, so it can use more than one core."""
    assert SAMPLE.busiest == ("task_service", 0.5)
