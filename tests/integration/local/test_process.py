import os
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest

from deploy.local.errors import ProcessFailedError, ProcessNotReadyError
from deploy.local.supervision.orphans import Run
from deploy.local.supervision.probes import file_exists
from deploy.local.supervision.process import Process, ProcessSpec
from deploy.local.supervision.single_process import run_to_end
from tests.integration.local.conftest import Program

SLEEP = "import signal; signal.pause()"


async def never() -> bool:
    return False


async def test_a_process_is_ready_when_its_probe_says_so(program: Program, run: Run, tmp_path: Path):
    sign = tmp_path / "sign"
    spec = program(f"open({str(sign)!r}, 'w').close(); {SLEEP}", ready=partial(file_exists, sign))
    process = await Process.start(spec, log=tmp_path / "log", run=run)
    try:
        await process.until_ready()
        assert sign.exists()
    finally:
        await process.stop()


async def test_a_sign_of_an_earlier_life_does_not_make_a_process_ready(program: Program, run: Run, tmp_path: Path):
    sign = tmp_path / "sign"
    sign.touch()
    spec = program("", ready=partial(file_exists, sign), stale_files=(sign,))
    process = await Process.start(spec, log=tmp_path / "log", run=run)
    with pytest.raises(ProcessNotReadyError, match="ended with exit status 0 before it was ready"):
        await process.until_ready()


async def test_a_process_that_takes_too_long_is_not_ready(program: Program, run: Run, tmp_path: Path):
    process = await Process.start(program(SLEEP, ready=never, ready_seconds=0.2), log=tmp_path / "log", run=run)
    try:
        with pytest.raises(ProcessNotReadyError, match="not ready within"):
            await process.until_ready()
    finally:
        await process.stop()


async def test_each_process_leads_its_own_process_group(program: Program, run: Run, tmp_path: Path):
    process = await Process.start(program(SLEEP), log=tmp_path / "log", run=run)
    try:
        assert os.getpgid(process.pid) == process.pid
    finally:
        await process.stop()


async def test_a_process_that_ignores_its_stop_signal_is_killed_with_its_children(
    program: Program, run: Run, tmp_path: Path
):
    sign = tmp_path / "sign"
    source = f"""
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open({str(sign)!r}, "w").close()
child.wait()
"""
    spec = program(source, ready=partial(file_exists, sign), grace_seconds=0.1)
    process = await Process.start(spec, log=tmp_path / "log", run=run)
    await process.until_ready()
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    await process.stop()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert len(family) == 2
    assert alive == []


async def test_a_process_that_is_killed_takes_its_children_with_it(program: Program, run: Run, tmp_path: Path):
    sign = tmp_path / "sign"
    source = f"""
import signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open({str(sign)!r}, "w").close()
signal.pause()
"""
    process = await Process.start(program(source, ready=partial(file_exists, sign)), log=tmp_path / "log", run=run)
    await process.until_ready()
    (child,) = psutil.Process(process.pid).children()
    psutil.Process(process.pid).kill()
    assert await process.until_ended() == -signal.SIGKILL
    _, alive = psutil.wait_procs([child], timeout=10)
    assert alive == []


async def test_a_process_is_stopped_by_the_signal_that_it_wants(program: Program, run: Run, tmp_path: Path):
    sign = tmp_path / "sign"
    source = f"""
import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit("bye"))
open({str(sign)!r}, "w").close()
signal.pause()
"""
    spec = program(source, ready=partial(file_exists, sign), stop_signal=signal.SIGINT)
    process = await Process.start(spec, log=tmp_path / "log", run=run)
    await process.until_ready()
    await process.stop()
    assert process.last_lines() == ("bye",)


async def test_what_an_earlier_life_wrote_stays_in_the_log_but_is_not_this_ones(
    program: Program, run: Run, tmp_path: Path
):
    log = tmp_path / "log"
    for words in ("first", "second"):
        process = await Process.start(program(f"print({words!r})"), log=log, run=run)
        await process.until_ended()
    assert process.last_lines() == ("second",)
    assert log.read_text() == "first\nsecond\n"


async def test_a_command_that_fails_is_told_with_its_last_lines(program: Program, run: Run, tmp_path: Path):
    with pytest.raises(ProcessFailedError, match="program ended with exit status 3") as raised:
        await run_to_end(program("print('no luck'); raise SystemExit(3)"), log=tmp_path / "log", run=run)
    assert raised.value.last_lines == ("no luck",)


async def test_a_program_that_is_not_there_is_named(run: Run, tmp_path: Path):
    with pytest.raises(ProcessFailedError, match="nothing cannot be started"):
        await Process.start(ProcessSpec(name="nothing", argv=("/no/such/program",)), log=tmp_path / "log", run=run)
