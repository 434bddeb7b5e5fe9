"""Metrics of the worker, which is two processes: Celery's and its pool child, which does the work.

Each process writes its metrics to files, and Celery's process serves the sum. So the counters survive a restart of the
child.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from chassis.settings import Listen

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def metrics_directory(listen: Listen | None) -> Iterator[str]:
    """Create the directory of the metrics, for this process and its children, and delete it at the end.

    Without an address that serves the metrics, there is no directory: yield "". Call this before prometheus_client is
    imported, because the library reads the variable only then.
    """
    if listen is None:
        yield ""
        return
    prefix = f"import_worker-metrics-{os.getpid()}-"
    # A worker that was killed leaves its directory. After a restart of its container, the worker has the same id.
    for leftover in Path(gettempdir()).glob(f"{prefix}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with TemporaryDirectory(prefix=prefix) as path:
        os.environ[_DIRECTORY] = path
        yield path
