import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local.errors import LocalStackError
from deploy.local.supervision.data_dir_lock import claim
from deploy.local.supervision.orphans import Run, end_processes_of, end_processes_on

# A supervisor with a child that ignores SIGTERM and has a child itself. It tells their ids and waits to be killed.
SUPERVISOR = """
import asyncio, sys
from pathlib import Path
import psutil
from deploy.local.supervision.data_dir_lock import claim
from deploy.local.supervision.probes import file_exists
from deploy.local.supervision.process import Process, ProcessSpec

STUBBORN = '''
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open(sys.argv[1], "w").close()
child.wait()
'''

async def main(folder):
    async with claim(folder) as run:
        sign = folder / "sign"
        argv = (sys.executable, "-c", STUBBORN, str(sign))
        spec = ProcessSpec(name="stubborn", argv=argv, ready=lambda: file_exists(sign))
        process = await Process.start(spec, log=folder / "log", run=run)
        await process.until_ready()
        print(process.pid, *(child.pid for child in psutil.Process(process.pid).children()), flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_second_run_on_a_folder_is_refused_and_told_who_has_it(tmp_path: Path):
    async with claim(tmp_path):
        with pytest.raises(LocalStackError, match=rf"in use by a run with process id {os.getpid()}: stop that one"):
            async with claim(tmp_path):
                pass


async def test_a_folder_can_be_had_again_after_a_run(tmp_path: Path):
    async with claim(tmp_path) as first:
        pass
    async with claim(tmp_path) as second:
        assert second.id != first.id


async def test_a_killed_supervisor_leaves_no_process_behind_not_even_stubborn_ones(tmp_path: Path):
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    family = [psutil.Process(int(pid)) for pid in (await supervisor.stdout.readline()).split()]
    supervisor.kill()
    await supervisor.communicate()
    _, alive = await asyncio.to_thread(psutil.wait_procs, family, 30)
    assert len(family) == 2
    assert alive == []
    async with claim(tmp_path):
        pass  # and its lock is not in the way


def test_the_next_start_ends_what_is_left_of_a_folder_and_nothing_else(tmp_path: Path):
    ours, others = (Run(folder=tmp_path / name, id=name) for name in ("ours", "others"))
    left, stranger = (_left_by(run) for run in (ours, others))
    try:
        assert end_processes_on(ours.folder) == 1
        assert not psutil.pid_exists(left.pid)
        assert stranger.poll() is None
    finally:
        assert end_processes_of(others.id) == 1
        for process in (left, stranger):
            process.wait()


def _left_by(run: Run) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"], env={**os.environ, **run.marks(signal.SIGTERM)}
    )
