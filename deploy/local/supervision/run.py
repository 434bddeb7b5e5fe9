"""One run of a supervisor, and the environment variables that mark its processes."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from deploy.local.errors import LocalStackError

# Children inherit the environment, so every descendant of a supervised process has these variables too.
DATA_DIR_VARIABLE = "TASKMANAGER_LOCAL_DATA_DIR"
RUN_ID_VARIABLE = "TASKMANAGER_LOCAL_RUN_ID"
STOP_SIGNAL_VARIABLE = "TASKMANAGER_LOCAL_STOP_SIGNAL"


@dataclass(frozen=True, slots=True)
class Run:
    """One supervisor's ownership of a data directory, from start to stop."""

    data_dir: Path
    id: str

    @classmethod
    def create(cls, data_dir: Path) -> Self:
        """Return a run with a new id. Create the data directory if it does not exist.

        Raise LocalStackError if it can't be created.
        """
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            message = f"{data_dir} can't be created: {error.strerror}."
            raise LocalStackError(message) from None
        return cls(data_dir=data_dir.resolve(), id=uuid4().hex)

    def environment_markers(self, stop_signal: signal.Signals) -> dict[str, str]:
        """Return the environment variables that mark a process as part of this run."""
        return {
            DATA_DIR_VARIABLE: str(self.data_dir),
            RUN_ID_VARIABLE: self.id,
            STOP_SIGNAL_VARIABLE: str(stop_signal.value),
        }
