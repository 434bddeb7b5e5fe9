"""Exit with 0 if the worker accepts wake-ups, otherwise with 1: `python -m import_worker.commands.health`."""

import sys
import time
from pathlib import Path

from chassis.settings import load_settings
from import_worker.heartbeat import STALE_SECONDS
from import_worker.settings import ImportWorkerSettings


def find_problem(heartbeat_file: Path | None, *, now: float) -> str:
    """Return the problem that the heartbeat file shows; empty if there is none. `now` is in seconds since the epoch."""
    if heartbeat_file is None:
        return "IMPORT_WORKER_HEARTBEAT_FILE is not set."
    try:
        age_seconds = now - heartbeat_file.stat().st_mtime
    except FileNotFoundError:
        return "The worker is not ready: there is no heartbeat file."
    return "" if age_seconds < STALE_SECONDS else f"The worker hangs: no heartbeat for {age_seconds:.0f} s."


def main() -> None:
    problem = find_problem(load_settings(ImportWorkerSettings).heartbeat_file, now=time.time())
    if problem:
        sys.exit(problem)


if __name__ == "__main__":
    main()
