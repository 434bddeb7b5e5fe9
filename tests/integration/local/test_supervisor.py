import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from deploy.local.errors import ProcessFailedError
from deploy.local.supervision.orphans import Run
from deploy.local.supervision.probes import file_exists
from deploy.local.supervision.supervisor import Supervisor
from tests.integration.local.conftest import Program

SLEEP = "import signal; signal.pause()"


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
async def supervisor(run: Run, tmp_path: Path, lines: list[str]) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(run=run, logs=tmp_path / "logs", announce=lines.append)
    yield supervisor
    await supervisor.stop()


async def changed(supervisor: Supervisor, until: Callable[[], bool]) -> None:
    """Waits for a change of the process ids after which something holds."""
    event = asyncio.Event()
    supervisor.on_change = lambda: event.set() if until() else None
    async with asyncio.timeout(20):
        await event.wait()


async def test_a_process_that_dies_is_started_again_under_the_same_name(
    supervisor: Supervisor, program: Program, lines: list[str]
):
    await supervisor.start([program(SLEEP)])
    first = supervisor.pids["program"]
    psutil.Process(first).kill()
    await changed(supervisor, lambda: supervisor.pids["program"] != first)
    assert lines[0] == "program was ended by SIGKILL: starting it again"
    assert psutil.Process(supervisor.pids["program"]).is_running()


async def test_a_process_may_die_any_number_of_times_while_it_becomes_ready_in_between(
    supervisor: Supervisor, program: Program
):
    await supervisor.start([program(SLEEP)])
    for _ in range(6):
        before = supervisor.pids["program"]
        psutil.Process(before).kill()
        await changed(supervisor, lambda: supervisor.pids["program"] != before)  # noqa: B023 - awaited in the loop
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await supervisor.until_failure()


async def test_five_failures_to_become_ready_in_a_row_are_the_end(
    supervisor: Supervisor, program: Program, tmp_path: Path, lines: list[str]
):
    broken = program("print('cannot'); raise SystemExit(1)", ready=partial(file_exists, tmp_path / "never"))
    with pytest.raises(ProcessFailedError, match="exit status 1 before it was ready, 5 times running") as raised:
        await supervisor.start([program(SLEEP, name="healthy")], [broken])
    assert raised.value.process == "program"
    assert raised.value.last_lines == ("cannot",)
    assert len(lines) == 4


async def test_a_failure_after_everything_was_ready_is_told_too(
    supervisor: Supervisor, program: Program, tmp_path: Path
):
    first_time = tmp_path / "first_time"
    first_time.touch()
    sign = tmp_path / "sign"
    source = f"""
import os, signal
os.unlink({str(first_time)!r})
open({str(sign)!r}, "w").close()
signal.pause()
"""
    await supervisor.start([program(source, ready=partial(file_exists, sign), stale_files=(sign,))])
    psutil.Process(supervisor.pids["program"]).kill()
    with pytest.raises(ProcessFailedError, match="5 times running") as raised:
        await supervisor.until_failure()
    assert "FileNotFoundError" in raised.value.last_lines[-1]


async def test_work_is_given_up_when_a_process_fails_meanwhile(
    supervisor: Supervisor, program: Program, tmp_path: Path
):
    failing = asyncio.ensure_future(supervisor.start([program("", ready=partial(file_exists, tmp_path / "never"))]))
    with pytest.raises(ProcessFailedError):
        await supervisor.while_it_lasts(asyncio.Event().wait())
    with pytest.raises(ProcessFailedError):
        await failing


async def test_processes_stop_in_the_reverse_order_of_their_groups(
    supervisor: Supervisor, program: Program, tmp_path: Path
):
    order = tmp_path / "order"

    def telling(name: str):
        sign = tmp_path / f"{name}.sign"
        source = f"""
import signal, sys
def stop(*_):
    with open({str(order)!r}, "a") as file:
        print({name!r}, file=file)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
open({str(sign)!r}, "w").close()
signal.pause()
"""
        return program(source, name=name, ready=partial(file_exists, sign))

    await supervisor.start([telling("data")])
    await supervisor.start([telling("service")], [telling("edge")])
    await supervisor.stop()
    assert order.read_text().split() == ["edge", "service", "data"]


async def test_nothing_runs_after_a_stop_in_the_middle_of_a_start(
    supervisor: Supervisor, program: Program, tmp_path: Path
):
    starting = asyncio.ensure_future(supervisor.start([program(SLEEP, ready=partial(file_exists, tmp_path / "never"))]))
    await changed(supervisor, lambda: bool(supervisor.pids))
    process = psutil.Process(supervisor.pids["program"])
    starting.cancel()
    await supervisor.stop()
    _, alive = psutil.wait_procs([process], timeout=10)
    assert alive == []
