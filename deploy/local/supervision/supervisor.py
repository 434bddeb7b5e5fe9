"""Supervisor that keeps a set of processes running, as an orchestrator would."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from chassis.settings import MISCONFIGURED
from deploy.local.errors import ProcessFailed, ProcessNotReady
from deploy.local.supervision.process import Process, ProcessSpec, describe_exit_status
from deploy.local.supervision.run import Run

T = TypeVar("T")

_MAX_FAILED_STARTS = 5
_RESTART_DELAY_SECONDS = 0.3


class Supervisor:
    """Supervisor that restarts each process that exits. It fails after five failed starts of one in a row.

    It fails at once if the first start ends because of a setting: a restart would not mend it.

    If `on_pids_changed` is set, the supervisor calls it after each start of a process, when `pids` has changed.
    """

    def __init__(self, *, run: Run, log_dir: Path, announce: Callable[[str], None]) -> None:
        self._run = run
        self._log_dir = log_dir
        self.on_pids_changed: Callable[[], object] | None = None
        self._announce = announce
        self._groups: list[list[_Supervised]] = []
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def pids(self) -> dict[str, int]:
        """The ids of the running processes by name, in the order of start."""
        return {child.spec.name: child.process.pid for child in _flatten(self._groups) if child.process}

    async def start(self, *groups: Sequence[ProcessSpec]) -> None:
        """Start all processes at once and return when all are ready. Raise ProcessFailed.

        The groups define the order of the stop: the last group stops first, the processes of one group stop together.
        """
        new_groups = [[_Supervised(spec) for spec in group] for group in groups]
        self._groups += new_groups
        for child in _flatten(new_groups):
            child.task = asyncio.create_task(self._supervise(child))
            child.task.add_done_callback(self._record_failure)
        await self.run_until_failure(asyncio.gather(*(child.ready.wait() for child in _flatten(new_groups))))

    async def wait_for_failure(self) -> None:
        """Wait until a process has failed permanently and raise its ProcessFailed."""
        await asyncio.shield(self._failure)

    async def run_until_failure(self, work: Awaitable[T]) -> T:
        """Return the result of the work. If a process fails first, cancel the work and raise ProcessFailed."""
        result = asyncio.ensure_future(work)
        failure = asyncio.ensure_future(self.wait_for_failure())
        try:
            await asyncio.wait((result, failure), return_when=asyncio.FIRST_COMPLETED)
            if failure.done():
                failure.result()
            return result.result()
        finally:
            for task in (result, failure):
                task.cancel()
            await asyncio.gather(result, failure, return_exceptions=True)

    async def stop(self) -> None:
        """Stop all processes, the last group first."""
        tasks = [child.task for child in _flatten(self._groups) if child.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # wait_for_failure has reported the exception
        for group in reversed(self._groups):
            await asyncio.gather(*(child.process.stop() for child in group if child.process))

    async def _supervise(self, child: "_Supervised") -> None:
        """Start the process again and again. Raise ProcessFailed after five failed starts in a row."""
        failed_starts = 0
        name = child.spec.name
        while True:
            process = await Process.start(child.spec, log=self._log_dir / f"{name}.log", run=self._run)
            child.process = process
            if self.on_pids_changed is not None:
                self.on_pids_changed()
            try:
                await process.wait_until_ready()
            except ProcessNotReady as error:
                await process.stop()
                if error.exit_status == MISCONFIGURED and not child.ready.is_set():
                    raise ProcessFailed(str(error), process=name, last_log_lines=process.last_log_lines()) from error
                failed_starts += 1
                if failed_starts == _MAX_FAILED_STARTS:
                    message = f"{error}, {failed_starts} times in a row"
                    raise ProcessFailed(message, process=name, last_log_lines=process.last_log_lines()) from error
                self._announce(f"{error}: restarting it")
            else:
                failed_starts = 0
                if child.ready.is_set():
                    self._announce(f"{name} is ready again")
                child.ready.set()
                status = await process.wait_until_exit()
                self._announce(f"{name} {describe_exit_status(status)}: restarting it")
            await asyncio.sleep(_RESTART_DELAY_SECONDS)

    def _record_failure(self, task: asyncio.Task[None]) -> None:
        """Record the exception of a supervising task. Such a task ends only by cancellation or by an exception."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()  # read it once, or asyncio logs "never retrieved" if nobody waits for it


class _Supervised:
    """One process that the supervisor keeps running, over all its restarts."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.process: Process | None = None
        self.ready = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


def _flatten(groups: Iterable[Iterable[_Supervised]]) -> list[_Supervised]:
    return [child for group in groups for child in group]
