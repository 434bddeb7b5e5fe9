"""Having a folder to oneself for the time of a run."""

import asyncio
import fcntl
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

from deploy.local.errors import LocalStackError
from deploy.local.supervision.orphans import Run, end_processes_on

REPOSITORY = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def claim(folder: Path) -> AsyncIterator[Run]:
    """Keeps everybody else off a folder, ends what an earlier run left there, and sees that this run leaves nothing.

    Raises LocalStackError when another run has the folder.
    """
    run = Run(folder=_made(folder), id=uuid4().hex)
    with _locked(run.folder):
        await asyncio.to_thread(end_processes_on, run.folder)
        async with _guarded(run):
            yield run


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a lock that the kernel gives back when its holder dies, so that none is ever stale."""
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            message = (
                f"{folder} is in use by a run with process id {holder}: stop that one first, or name another --data-dir"
            )
            raise LocalStackError(message) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@asynccontextmanager
async def _guarded(run: Run) -> AsyncIterator[None]:
    """Runs the guardian, in a session of its own so that the terminal's Ctrl-C does not reach it."""
    guardian = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.local.supervision.watchdog",
        run.id,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    try:
        yield
    finally:
        if guardian.stdin is not None:
            guardian.stdin.close()
        await guardian.wait()
