"""Keeping a set of processes running, as an orchestrator would."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from deploy.local.errors import ProcessFailedError, ProcessNotReadyError
from deploy.local.supervision.orphans import Run
from deploy.local.supervision.process import Process, ProcessSpec, describe_exit

T = TypeVar("T")

_ATTEMPTS = 5
_PAUSE_SECONDS = 0.3


class Supervisor:
    """Starts processes in order, restarts each that ends, gives up when one fails to become ready five times running.

    `on_change`, once it is set, is called after each start of a process, when `pids` has changed.
    """

    def __init__(self, *, run: Run, logs: Path, announce: Callable[[str], None]) -> None:
        self._run = run
        self._logs = logs
        self.on_change: Callable[[], object] | None = None
        self._announce = announce
        self._groups: list[list[_Kept]] = []
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of what runs, by name, in the order of start."""
        return {kept.spec.name: kept.process.pid for group in self._groups for kept in group if kept.process}

    async def start(self, *groups: Sequence[ProcessSpec]) -> None:
        """Starts all of these at once and returns when all are ready. Raises ProcessFailedError.

        The groups say in which order they stop: the last one first, what is in one group together.
        """
        started = [[_Kept(spec) for spec in group] for group in groups]
        self._groups += started
        for kept in _flat(started):
            kept.keeper = asyncio.create_task(self._keep(kept))
            kept.keeper.add_done_callback(self._keeper_ended)
        await self.while_it_lasts(asyncio.gather(*(kept.ready.wait() for kept in _flat(started))))

    async def until_failure(self) -> None:
        """Waits until a process has failed for good and raises its ProcessFailedError."""
        await asyncio.shield(self._failure)

    async def while_it_lasts(self, work: Awaitable[T]) -> T:
        """Returns what a piece of work returns; raises the ProcessFailedError of a process that fails meanwhile."""
        result = asyncio.ensure_future(work)
        failure = asyncio.ensure_future(self.until_failure())
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
        """Stops everything, in the reverse order of the groups."""
        keepers = [kept.keeper for kept in _flat(self._groups) if kept.keeper is not None]
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)  # a failure was told by until_failure
        for group in reversed(self._groups):
            await asyncio.gather(*(kept.process.stop() for kept in group if kept.process))

    async def _keep(self, kept: "_Kept") -> None:
        failures = 0
        while True:
            kept.process = process = await Process.start(kept.spec, log=self._log_of(kept.spec), run=self._run)
            if self.on_change is not None:
                self.on_change()
            try:
                await process.until_ready()
            except ProcessNotReadyError as error:
                await process.stop()
                failures += 1
                if failures == _ATTEMPTS:
                    message = f"{error}, {failures} times running"
                    raise ProcessFailedError(
                        message, process=kept.spec.name, last_lines=process.last_lines()
                    ) from error
                self._announce(f"{error}: trying again")
            else:
                failures = 0
                if kept.ready.is_set():
                    self._announce(f"{kept.spec.name} is ready again")
                kept.ready.set()
                status = await process.until_ended()
                self._announce(f"{kept.spec.name} {describe_exit(status)}: starting it again")
            await asyncio.sleep(_PAUSE_SECONDS)

    def _log_of(self, spec: ProcessSpec) -> Path:
        return self._logs / f"{spec.name}.log"

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        """A keeper ends by being cancelled or by an exception, which is everybody's end."""
        error = None if keeper.cancelled() else keeper.exception()
        if error is not None and not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()  # nobody may be waiting, which is no reason for asyncio to complain


class _Kept:
    """One process that is to run, through all its lives."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.process: Process | None = None
        self.ready = asyncio.Event()
        self.keeper: asyncio.Task[None] | None = None


def _flat(groups: Iterable[Iterable[_Kept]]) -> list[_Kept]:
    return [kept for group in groups for kept in group]
