"""Exits 0 if the worker takes wake-ups, else 1: `python -m import_worker.commands.health`."""

import sys
import time
from pathlib import Path

from chassis.settings import load_settings
from import_worker.heartbeat import STALE_SECONDS
from import_worker.settings import ImportWorkerSettings


def problem_with(path: Path | None, *, now: float) -> str:
    """Return what the heartbeat file says is wrong, nothing if all is well. `now` is in seconds since the epoch."""
    if path is None:
        return "IMPORT_WORKER_HEARTBEAT_FILE is not set"
    try:
        age = now - path.stat().st_mtime
    except FileNotFoundError:
        return "the worker is not ready"
    return "" if age < STALE_SECONDS else f"no heartbeat for {age:.0f} s"


def main() -> None:
    problem = problem_with(load_settings(ImportWorkerSettings).heartbeat_file, now=time.time())
    if problem:
        sys.exit(problem)


if __name__ == "__main__":
    main()
