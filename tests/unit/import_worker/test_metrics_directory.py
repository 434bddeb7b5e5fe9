"""Directory of the worker's metrics."""

import os
import tempfile
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict, mmap_key

from chassis.settings import Listen
from import_worker.metrics import metrics_directory
from import_worker.process_metrics import ProcessMetrics


def test_directory_of_a_killed_worker_is_deleted(tmp_path, monkeypatch):
    """A container restarts a worker under the same process id. What the killed one left must not fill the disk."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # restored at the end
    leftover = tmp_path / f"import_worker-metrics-{os.getpid()}-abc"
    of_another = tmp_path / f"import_worker-metrics-{os.getpid() + 1}-abc"
    for folder in (leftover, of_another):
        folder.mkdir()
    with metrics_directory(Listen("127.0.0.1", 0)) as path:
        assert sorted(tmp_path.iterdir()) == sorted([of_another, Path(path)])
    assert list(tmp_path.iterdir()) == [of_another]


def test_process_that_starts_does_not_break_a_scrape(tmp_path):
    """Its file is empty for a moment. The metrics of the other processes are there all the same."""
    running = MmapedDict(str(tmp_path / "counter_1.db"))
    running.write_value(mmap_key("rows", "rows_total", [], [], "Rows"), 3.0, 0.0)
    (tmp_path / "counter_2.db").touch()
    [metric] = ProcessMetrics(str(tmp_path)).collect()
    assert [(sample.name, sample.value) for sample in metric.samples] == [("rows_total", 3.0)]
    running.close()
