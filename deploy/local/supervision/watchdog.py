"""Watchdog: a process that outlives a killed supervisor and stops the orphans of its run.

Its standard input is a pipe that only the supervisor holds open. The kernel closes the pipe when the supervisor ends,
for whatever reason. PR_SET_PDEATHSIG is no alternative: it exists only on Linux, does not reach grandchildren, and is
cleared when a child changes its user.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local.host.repository import REPOSITORY_ROOT
from deploy.local.supervision.orphans import stop_orphans_of_run
from deploy.local.supervision.run import Run

# The full name of this module. It is constant, because __name__ is "__main__" in the watchdog process.
_MODULE = "deploy.local.supervision.watchdog"


@asynccontextmanager
async def running_watchdog(run: Run) -> AsyncIterator[None]:
    """Run a watchdog process. It has its own session, so that Ctrl-C in the terminal does not reach it."""
    watchdog = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        _MODULE,
        run.id,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=REPOSITORY_ROOT,
        start_new_session=True,
    )
    try:
        yield
    finally:
        if watchdog.stdin is not None:
            watchdog.stdin.close()
        await watchdog.wait()


def main() -> None:
    """Wait for the end of the supervisor, then stop the orphans of the run named in the arguments."""
    sys.stdin.buffer.read()
    stop_orphans_of_run(sys.argv[1])


if __name__ == "__main__":
    main()
