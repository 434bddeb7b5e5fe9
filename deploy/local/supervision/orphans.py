"""Orphans: processes that outlived the supervisor that started them.

Every process of a run has markers in its environment, which its children inherit. A process id in a file may belong to
another program by the time it is read; a marker cannot. The next start and the watchdog both search for the markers.
"""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from deploy.local.supervision.run import DATA_DIR_VARIABLE, RUN_ID_VARIABLE, STOP_SIGNAL_VARIABLE

_GRACE_PERIOD_SECONDS = 5.0


def stop_orphans_in_data_dir(data_dir: Path) -> int:
    """Stop the orphans of earlier runs on a data directory and return their number."""
    return _stop_processes(lambda environment: environment.get(DATA_DIR_VARIABLE) == str(data_dir))


def stop_orphans_of_run(run_id: str) -> int:
    """Stop the orphans of one run and return their number."""
    return _stop_processes(lambda environment: environment.get(RUN_ID_VARIABLE) == run_id)


def _stop_processes(is_orphan: Callable[[Mapping[str, str]], bool]) -> int:
    """Send each orphan its own stop signal, then SIGKILL to those that still run after the grace period."""
    orphans: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue  # it has ended or belongs to another user, so it is no orphan
        if process.pid != os.getpid() and is_orphan(environment):
            orphans.append(process)
            _send_signal(process, signal.Signals(int(environment.get(STOP_SIGNAL_VARIABLE, signal.SIGTERM))))
    _, alive = psutil.wait_procs(orphans, timeout=_GRACE_PERIOD_SECONDS)
    for process in alive:
        _send_signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_GRACE_PERIOD_SECONDS)
    return len(orphans)


def _send_signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
