import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy.local.supervision.data_dir_lock import exclusive_run
from deploy.local.supervision.orphans import stop_orphans_in_data_dir, stop_orphans_of_run
from deploy.local.supervision.run import Run
from tests.integration.local.scripts import SLEEP

# A supervisor with a child that ignores SIGTERM and has a child itself. It prints their ids and waits to be killed.
SUPERVISOR = """
import asyncio, sys
from pathlib import Path
import psutil
from deploy.local.supervision.data_dir_lock import exclusive_run
from deploy.local.supervision.process import Process, ProcessSpec

STUBBORN = '''
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open(sys.argv[1], "w").close()
child.wait()
'''

async def main(data_dir):
    async with exclusive_run(data_dir) as run:
        ready_file = data_dir / "ready"
        argv = (sys.executable, "-c", STUBBORN, str(ready_file))
        spec = ProcessSpec(name="stubborn", argv=argv, readiness_probe=lambda: asyncio.to_thread(ready_file.exists))
        process = await Process.start(spec, log=data_dir / "log", run=run)
        await process.wait_until_ready()
        print(process.pid, *(child.pid for child in psutil.Process(process.pid).children()), flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""

# An orphan that starts a process when it receives SIGTERM, so after the scan that found the orphan.
STARTS_A_PROCESS_ON_SIGTERM = """
import signal, subprocess, sys
from pathlib import Path

def start_and_exit(*_):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(sys.argv[1]).write_text(str(child.pid))
    sys.exit()

signal.signal(signal.SIGTERM, start_and_exit)
print("ready", flush=True)
signal.pause()
"""


async def test_watchdog_stops_orphans_of_a_killed_supervisor(tmp_path: Path):
    """A killed supervisor leaves no process behind, not even one that ignores SIGTERM, and its lock is released."""
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    try:
        descendants = [psutil.Process(int(pid)) for pid in (await supervisor.stdout.readline()).split()]
    finally:
        supervisor.kill()
        await supervisor.communicate()
    _, alive = await asyncio.to_thread(psutil.wait_procs, descendants, 30)
    assert len(descendants) == 2
    assert alive == []
    async with exclusive_run(tmp_path):
        pass


def test_only_orphans_of_the_data_dir_are_stopped(tmp_path: Path):
    run, other_run = (Run(data_dir=tmp_path / name, id=name) for name in ("this", "other"))
    with _orphan(run, SLEEP) as orphan, _orphan(other_run, SLEEP) as stranger:
        assert stop_orphans_in_data_dir(run.data_dir) == 1
        assert not psutil.pid_exists(orphan.pid)
        assert stranger.poll() is None
        assert stop_orphans_of_run(other_run.id) == 1


def test_process_that_an_orphan_starts_is_stopped_too(tmp_path: Path):
    """A process that starts after the scan has the markers too. A later scan finds it."""
    run = Run(data_dir=tmp_path / "data", id="run")
    child_file = tmp_path / "child"
    with _orphan(run, STARTS_A_PROCESS_ON_SIGTERM, str(child_file)) as orphan:
        assert orphan.stdout is not None
        assert orphan.stdout.readline() == b"ready\n"
        stopped = stop_orphans_of_run(run.id)
        assert not psutil.pid_exists(int(child_file.read_text()))
        assert stopped == 2


@contextmanager
def _orphan(run: Run, source: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process with the markers of a run. Kill it at the end, or a failed test would wait for it forever."""
    environment = {**os.environ, **run.environment_markers(signal.SIGTERM)}
    process = subprocess.Popen([sys.executable, "-c", source, *arguments], env=environment, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
