import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from deploy.local.errors import ProcessFailed
from deploy.local.supervision.process import ProcessSpec
from deploy.local.supervision.run import Run
from deploy.local.supervision.supervisor import Supervisor
from tests.integration.local.scripts import SLEEP, file_exists, script_process


@pytest.fixture
def announced() -> list[str]:
    """The lines that the supervisor announced."""
    return []


@pytest.fixture
async def supervisor(run: Run, tmp_path: Path, announced: list[str]) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(run=run, log_dir=tmp_path / "logs", announce=announced.append)
    yield supervisor
    await supervisor.stop()


async def wait_for_pids(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    """Wait for a change of the process ids after which the condition is true."""
    event = asyncio.Event()
    supervisor.on_pids_changed = lambda: event.set() if condition() else None
    async with asyncio.timeout(20):
        await event.wait()


async def test_dead_process_is_restarted_under_its_name(supervisor: Supervisor, announced: list[str]):
    await supervisor.start([script_process(SLEEP)])
    first = supervisor.pids["script"]
    psutil.Process(first).kill()
    await wait_for_pids(supervisor, lambda: supervisor.pids["script"] != first)
    assert announced[0] == "script was ended by SIGKILL: restarting it"
    assert psutil.Process(supervisor.pids["script"]).is_running()


async def test_deaths_of_ready_processes_are_not_counted(supervisor: Supervisor):
    """A process may die any number of times if it becomes ready in between."""
    await supervisor.start([script_process(SLEEP)])
    for _ in range(6):
        before = supervisor.pids["script"]
        psutil.Process(before).kill()
        await wait_for_pids(supervisor, lambda: supervisor.pids["script"] != before)  # noqa: B023 - awaited in the loop
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await supervisor.wait_for_failure()


async def test_five_failed_starts_in_a_row_are_a_failure(supervisor: Supervisor, tmp_path: Path, announced: list[str]):
    broken = script_process(
        "print('cannot'); raise SystemExit(1)", readiness_probe=partial(file_exists, tmp_path / "never")
    )
    with pytest.raises(ProcessFailed, match="exit status 1 before it was ready, 5 times in a row") as raised:
        await supervisor.start([script_process(SLEEP, name="healthy")], [broken])
    assert raised.value.process == "script"
    assert raised.value.last_log_lines == ("cannot",)
    assert len(announced) == 4


async def test_misconfigured_process_is_not_started_again(supervisor: Supervisor, tmp_path: Path, announced: list[str]):
    """Status 2 means a wrong setting."""
    broken = script_process("raise SystemExit(2)", readiness_probe=partial(file_exists, tmp_path / "never"))
    with pytest.raises(ProcessFailed, match=r"exit status 2 before it was ready$"):
        await supervisor.start([broken])
    assert announced == []


async def test_failure_after_the_start_is_reported_too(supervisor: Supervisor, tmp_path: Path):
    first_start = tmp_path / "first_start"
    first_start.touch()
    ready_file = tmp_path / "ready"
    source = f"""
import os, pathlib, signal
pathlib.Path({str(ready_file)!r}).unlink(missing_ok=True)
os.unlink({str(first_start)!r})
open({str(ready_file)!r}, "w").close()
signal.pause()
"""
    spec = script_process(source, readiness_probe=partial(file_exists, ready_file))
    await supervisor.start([spec])
    psutil.Process(supervisor.pids["script"]).kill()
    with pytest.raises(ProcessFailed, match="5 times in a row") as raised:
        await supervisor.wait_for_failure()
    assert "FileNotFoundError" in raised.value.last_log_lines[-1]


async def test_work_is_cancelled_when_a_process_fails(supervisor: Supervisor, tmp_path: Path):
    spec = script_process("", readiness_probe=partial(file_exists, tmp_path / "never"))
    failing = asyncio.ensure_future(supervisor.start([spec]))
    with pytest.raises(ProcessFailed):
        await supervisor.run_until_failure(asyncio.Event().wait())
    with pytest.raises(ProcessFailed):
        await failing


async def test_groups_stop_in_reverse_order(supervisor: Supervisor, tmp_path: Path):
    order = tmp_path / "order"

    def recording_process(name: str) -> ProcessSpec:
        """Return a process that appends its name to a file when it stops."""
        ready_file = tmp_path / f"{name}.ready"
        source = f"""
import signal, sys
def stop(*_):
    with open({str(order)!r}, "a") as file:
        print({name!r}, file=file)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
open({str(ready_file)!r}, "w").close()
signal.pause()
"""
        return script_process(source, name=name, readiness_probe=partial(file_exists, ready_file))

    await supervisor.start([recording_process("data")])
    await supervisor.start([recording_process("service")], [recording_process("gateway")])
    await supervisor.stop()
    assert order.read_text().split() == ["gateway", "service", "data"]


async def test_stop_during_a_start_leaves_nothing_running(supervisor: Supervisor, tmp_path: Path):
    spec = script_process(SLEEP, readiness_probe=partial(file_exists, tmp_path / "never"))
    starting = asyncio.ensure_future(supervisor.start([spec]))
    await wait_for_pids(supervisor, lambda: bool(supervisor.pids))
    process = psutil.Process(supervisor.pids["script"])
    starting.cancel()
    await supervisor.stop()
    _, alive = psutil.wait_procs([process], timeout=10)
    assert alive == []
