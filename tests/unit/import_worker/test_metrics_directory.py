"""Directory of the worker's metrics."""

import os
import tempfile
from pathlib import Path

from chassis.settings import Listen
from import_worker.metrics import metrics_directory


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
