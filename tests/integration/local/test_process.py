import os
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest

from deploy.local.errors import ProcessFailed, ProcessNotReady
from deploy.local.supervision.process import Process, ProcessSpec
from deploy.local.supervision.run import Run
from deploy.local.supervision.single_process import run_to_completion
from tests.integration.local.scripts import SLEEP, file_exists, script_process


async def never_ready() -> bool:
    return False


async def test_process_is_ready_when_its_probe_succeeds(run: Run, tmp_path: Path):
    ready_file = tmp_path / "ready"
    spec = script_process(
        f"open({str(ready_file)!r}, 'w').close(); {SLEEP}", readiness_probe=partial(file_exists, ready_file)
    )
    process = await Process.start(spec, log=tmp_path / "log", run=run)
    try:
        await process.wait_until_ready()
        assert ready_file.exists()
    finally:
        await process.stop()


async def test_process_that_times_out_is_not_ready(run: Run, tmp_path: Path):
    spec = script_process(SLEEP, readiness_probe=never_ready, ready_timeout_seconds=0.2)
    process = await Process.start(spec, log=tmp_path / "log", run=run)
    try:
        with pytest.raises(ProcessNotReady, match="not ready within"):
            await process.wait_until_ready()
    finally:
        await process.stop()


async def test_process_leads_its_own_process_group(run: Run, tmp_path: Path):
    process = await Process.start(script_process(SLEEP), log=tmp_path / "log", run=run)
    try:
        assert os.getpgid(process.pid) == process.pid
    finally:
        await process.stop()


async def test_stop_kills_a_stubborn_process_and_its_children(run: Run, tmp_path: Path):
    """A process that ignores its stop signal is killed after the grace period, with its process group."""
    ready_file = tmp_path / "ready"
    source = f"""
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open({str(ready_file)!r}, "w").close()
child.wait()
"""
    spec = script_process(source, readiness_probe=partial(file_exists, ready_file), grace_period_seconds=0.1)
    process = await Process.start(spec, log=tmp_path / "log", run=run)
    await process.wait_until_ready()
    group = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    await process.stop()
    _, alive = psutil.wait_procs(group, timeout=10)
    assert len(group) == 2
    assert alive == []


async def test_children_of_a_killed_process_are_killed(run: Run, tmp_path: Path):
    ready_file = tmp_path / "ready"
    source = f"""
import signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open({str(ready_file)!r}, "w").close()
signal.pause()
"""
    spec = script_process(source, readiness_probe=partial(file_exists, ready_file))
    process = await Process.start(spec, log=tmp_path / "log", run=run)
    await process.wait_until_ready()
    (child,) = psutil.Process(process.pid).children()
    psutil.Process(process.pid).kill()
    assert await process.wait_until_exit() == -signal.SIGKILL
    _, alive = psutil.wait_procs([child], timeout=10)
    assert alive == []


async def test_stop_sends_the_configured_stop_signal(run: Run, tmp_path: Path):
    ready_file = tmp_path / "ready"
    source = f"""
import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit("bye"))
open({str(ready_file)!r}, "w").close()
signal.pause()
"""
    spec = script_process(source, readiness_probe=partial(file_exists, ready_file), stop_signal=signal.SIGINT)
    process = await Process.start(spec, log=tmp_path / "log", run=run)
    await process.wait_until_ready()
    await process.stop()
    assert process.last_log_lines() == ("bye",)


async def test_last_log_lines_exclude_earlier_processes(run: Run, tmp_path: Path):
    """The log file keeps the output of earlier processes."""
    log = tmp_path / "log"
    for words in ("first", "second"):
        process = await Process.start(script_process(f"print({words!r})"), log=log, run=run)
        await process.wait_until_exit()
    assert process.last_log_lines() == ("second",)
    assert log.read_text() == "first\nsecond\n"


async def test_failed_command_carries_its_last_log_lines(run: Run, tmp_path: Path):
    with pytest.raises(ProcessFailed, match="script ended with exit status 3") as raised:
        await run_to_completion(script_process("print('no luck'); raise SystemExit(3)"), log=tmp_path / "log", run=run)
    assert raised.value.last_log_lines == ("no luck",)


async def test_missing_program_is_named_in_the_error(run: Run, tmp_path: Path):
    with pytest.raises(ProcessFailed, match="nothing could not be started"):
        await Process.start(ProcessSpec(name="nothing", argv=("/no/such/program",)), log=tmp_path / "log", run=run)
