"""One life of one supervised process: started, ready, ended."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from deploy.local.errors import ProcessFailedError, ProcessNotReadyError
from deploy.local.host.os_user import Account, run_as
from deploy.local.supervision.log_files import last_lines
from deploy.local.supervision.orphans import Run

_PROBE_SECONDS = 0.1


async def at_once() -> bool:
    """The readiness of a process that has nothing to be asked."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run, how to tell that it is ready, and how to stop it. Secrets belong into `env`, never into `argv`."""

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], Awaitable[bool]] = at_once
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 15.0
    ready_seconds: float = 60.0
    stale_files: tuple[Path, ...] = ()
    """Files that the process makes. Each start removes those of an earlier life, lest it look ready, and makes their
    folders."""


class Process:
    """A running process that leads its own process group and writes all it says to one log file."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process, log: Path, log_start: int) -> None:
        self.spec = spec
        self._process = process
        self._log = log
        self._log_start = log_start
        self._group_ended = False

    @classmethod
    async def start(cls, spec: ProcessSpec, *, log: Path, run: Run) -> Self:
        """Starts the process; the log file is appended to. Raises ProcessFailedError when it cannot be executed."""
        for path in spec.stale_files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            log_start = output.tell()
            try:
                process = await asyncio.create_subprocess_exec(
                    *spec.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=spec.cwd,
                    env={**spec.env, **run.marks(spec.stop_signal)},
                    process_group=0,
                    **run_as(spec.account),
                )
            except OSError as error:
                message = f"{spec.name} cannot be started: {error}"
                raise ProcessFailedError(message, process=spec.name, last_lines=()) from error
        return cls(spec, process, log, log_start)

    @property
    def pid(self) -> int:
        """The process id, which is its process group's too."""
        return self._process.pid

    async def until_ready(self) -> None:
        """Returns when the readiness probe says so. Raises ProcessNotReadyError when it never will."""
        ended = asyncio.ensure_future(self._process.wait())
        try:
            async with asyncio.timeout(self.spec.ready_seconds):
                while not (await self.spec.ready() and not ended.done()):
                    await asyncio.wait({ended}, timeout=_PROBE_SECONDS)
                    if ended.done():
                        message = f"{self.spec.name} {describe_exit(ended.result())} before it was ready"
                        raise ProcessNotReadyError(message)
        except TimeoutError:
            message = f"{self.spec.name} was not ready within {self.spec.ready_seconds:g} seconds"
            raise ProcessNotReadyError(message) from None
        finally:
            ended.cancel()

    async def until_ended(self) -> int:
        """Returns the exit status once the process has ended, and what it left of its process group with it."""
        status = await self._process.wait()
        self._kill_group()
        return status

    async def stop(self) -> None:
        """Asks the process to stop, and kills its group when it has not done so within the grace period."""
        with suppress(ProcessLookupError):
            # To the leader alone: it knows best in which order its children go.
            self._process.send_signal(self.spec.stop_signal)
        try:
            async with asyncio.timeout(self.spec.grace_seconds):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self._kill_group()
        await self._process.wait()

    def last_lines(self) -> tuple[str, ...]:
        """Returns the last lines that this life of the process wrote."""
        return last_lines(self._log, start=self._log_start)

    def _kill_group(self) -> None:
        if self._group_ended:
            return  # by now the number may be another group's
        self._group_ended = True
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def describe_exit(status: int) -> str:
    """Returns an exit status in words; negative ones are signals, as in subprocess."""
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was ended by {signal.Signals(-status).name}"
