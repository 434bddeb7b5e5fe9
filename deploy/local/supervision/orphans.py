"""Finding and ending processes that outlived the supervisor that started them.

Every process of a run carries marks in its environment, which its own children inherit. A process id written to a file
could by now be somebody else's; a mark cannot. The next start looks for them, and so does the guardian.
"""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

_FOLDER = "TASKMANAGER_LOCAL_FOLDER"
_RUN = "TASKMANAGER_LOCAL_RUN"
_STOP_SIGNAL = "TASKMANAGER_LOCAL_STOP_SIGNAL"
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Run:
    """One supervisor's time on one folder."""

    folder: Path
    id: str

    def marks(self, stop_signal: signal.Signals) -> dict[str, str]:
        """Returns the environment variables that mark a process as this run's."""
        return {_FOLDER: str(self.folder), _RUN: self.id, _STOP_SIGNAL: str(stop_signal.value)}


def end_processes_on(folder: Path) -> int:
    """Ends what earlier runs left on a folder and returns how many processes that were."""
    return _end(lambda environment: environment.get(_FOLDER) == str(folder))


def end_processes_of(run_id: str) -> int:
    """Ends what is left of one run and returns how many processes that were."""
    return _end(lambda environment: environment.get(_RUN) == run_id)


def _end(is_ours: Callable[[Mapping[str, str]], bool]) -> int:
    """Asks each process to stop in its own way, and kills those that have not within the grace period."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another user's: not ours either way
        if process.pid != os.getpid() and is_ours(environment):
            found.append(process)
            _send(process, signal.Signals(int(environment.get(_STOP_SIGNAL, signal.SIGTERM))))
    _, alive = psutil.wait_procs(found, timeout=_GRACE_SECONDS)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_GRACE_SECONDS)
    return len(found)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
