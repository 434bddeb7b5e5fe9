"""Orphans: processes that outlived the supervisor that started them.

Every process of a run has markers in its environment, which its children inherit. A process id in a file may belong to
another program by the time it is read; a marker cannot. The next start and the watchdog both search for the markers.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from deploy.local.supervision.run import DATA_DIR_VARIABLE, RUN_ID_VARIABLE, STOP_SIGNAL_VARIABLE

_GRACE_PERIOD_SECONDS = 5.0

# A process that executes a new program shows its environment again after this time.
_START_SECONDS = 0.1
_EMPTY_SCANS = 2


def stop_orphans_in_data_dir(data_dir: Path) -> int:
    """Stop the orphans of earlier runs on a data directory and return their number."""
    return _stop_processes(lambda environment: environment.get(DATA_DIR_VARIABLE) == str(data_dir))


def stop_orphans_of_run(run_id: str) -> int:
    """Stop the orphans of one run and return their number."""
    return _stop_processes(lambda environment: environment.get(RUN_ID_VARIABLE) == run_id)


def _stop_processes(is_orphan: Callable[[Mapping[str, str]], bool]) -> int:
    """Stop the orphans of every scan until two consecutive scans find none. Return the number of orphans.

    One scan can miss an orphan: the environment of a process is empty while it executes a new program, and an orphan
    can start a process after the scan.
    """
    stopped: set[psutil.Process] = set()
    empty_scans = 0
    while empty_scans < _EMPTY_SCANS:
        orphans = [orphan for orphan in _find_orphans(is_orphan) if orphan[0] not in stopped]
        if orphans:
            empty_scans = 0
            _stop(orphans)
            stopped.update(process for process, _ in orphans)
        else:
            empty_scans += 1
            time.sleep(_START_SECONDS)
    return len(stopped)


def _find_orphans(is_orphan: Callable[[Mapping[str, str]], bool]) -> Iterator[tuple[psutil.Process, signal.Signals]]:
    """Yield each orphan with its own stop signal."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue  # it has ended or belongs to another user, so it is no orphan
        if process.pid != os.getpid() and is_orphan(environment):
            yield process, signal.Signals(int(environment.get(STOP_SIGNAL_VARIABLE, signal.SIGTERM)))


def _stop(orphans: Sequence[tuple[psutil.Process, signal.Signals]]) -> None:
    """Send each orphan its stop signal, then SIGKILL to those that still run after the grace period."""
    for process, stop_signal in orphans:
        _send_signal(process, stop_signal)
    _, alive = psutil.wait_procs([process for process, _ in orphans], timeout=_GRACE_PERIOD_SECONDS)
    for process in alive:
        _send_signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_GRACE_PERIOD_SECONDS)


def _send_signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
