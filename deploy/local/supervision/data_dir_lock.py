"""Exclusive use of a data directory for the time of a run."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.supervision.orphans import stop_orphans_in_data_dir
from deploy.local.supervision.run import Run
from deploy.local.supervision.watchdog import running_watchdog

_LOCK_FILE_NAME = "lock"


@asynccontextmanager
async def exclusive_run(data_dir: Path) -> AsyncIterator[Run]:
    """Start a run that has the data directory to itself.

    Stop the orphans of earlier runs first. A watchdog stops the orphans of this run. Raise LocalStackError if another
    run uses the data directory.
    """
    run = Run.create(data_dir)
    with lock_data_dir(run.data_dir):
        await asyncio.to_thread(stop_orphans_in_data_dir, run.data_dir)
        async with running_watchdog(run):
            yield run


@contextmanager
def lock_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold an flock. The kernel releases it when the holder dies, so the lock is never stale."""
    with (data_dir / _LOCK_FILE_NAME).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            message = (
                f"{data_dir} is in use by a run with process id {holder}. Stop that run first, or use another"
                " --data-dir (`make run DATA=…`)."
            )
            raise LocalStackError(message) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
