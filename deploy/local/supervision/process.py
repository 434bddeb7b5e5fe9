"""One supervised process, from its start to its exit."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from deploy.local.errors import ProcessFailed, ProcessNotReady
from deploy.local.host.os_user import OsUser, popen_user_arguments
from deploy.local.supervision.log_files import read_last_lines
from deploy.local.supervision.run import Run

_PROBE_INTERVAL_SECONDS = 0.1


async def always_ready() -> bool:
    """Return true: the readiness probe of a process that has no probe of its own."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """Command, environment, readiness probe and stop signal of a process. Secrets belong in `env`, never in `argv`."""

    name: str
    argv: tuple[str, ...]
    readiness_probe: Callable[[], Awaitable[bool]] = always_ready
    port: int | None = None
    """TCP port on which the process itself must listen to be ready. The probe alone may reach another program."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    user: OsUser | None = None
    """User that the process runs as. None means the current user."""
    stop_signal: signal.Signals = signal.SIGTERM
    inherited_fds: tuple[int, ...] = ()
    """File descriptors of this process that the new one inherits under the same numbers, such as a listening socket."""
    grace_period_seconds: float = 15.0
    """Time between the stop signal and SIGKILL."""
    ready_timeout_seconds: float = 60.0


class Process:
    """Running process that leads its own process group and writes all its output to one log file."""

    def __init__(self, spec: ProcessSpec, process: asyncio.subprocess.Process, log: Path, log_start: int) -> None:
        self.spec = spec
        self._process = process
        self._log = log
        self._log_start = log_start
        self._is_group_killed = False

    @classmethod
    async def start(cls, spec: ProcessSpec, *, log: Path, run: Run) -> Self:
        """Start a process that appends to a log file. Raise ProcessFailed if the command cannot be executed."""
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
                    env={**spec.env, **run.environment_markers(spec.stop_signal)},
                    process_group=0,
                    pass_fds=spec.inherited_fds,
                    **popen_user_arguments(spec.user),
                )
            except OSError as error:
                message = f"{spec.name} could not be started: {error}"
                raise ProcessFailed(message, process=spec.name, last_log_lines=()) from error
        return cls(spec, process, log, log_start)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of the process group."""
        return self._process.pid

    async def wait_until_ready(self) -> None:
        """Return when the readiness probe succeeds. Raise ProcessNotReady if the process exits or times out first."""
        exited = asyncio.ensure_future(self._process.wait())
        try:
            async with asyncio.timeout(self.spec.ready_timeout_seconds):
                while not (await self.spec.readiness_probe() and not exited.done() and self._owns_port()):
                    await asyncio.wait({exited}, timeout=_PROBE_INTERVAL_SECONDS)
                    if exited.done():
                        message = f"{self.spec.name} {describe_exit_status(exited.result())} before it was ready"
                        raise ProcessNotReady(message, exit_status=exited.result())
        except TimeoutError:
            message = f"{self.spec.name} was not ready within {self.spec.ready_timeout_seconds:g} seconds"
            raise ProcessNotReady(message) from None
        finally:
            exited.cancel()

    def _owns_port(self) -> bool:
        if self.spec.port is None:
            return True
        try:
            connections = psutil.Process(self.pid).net_connections("tcp")
        except psutil.NoSuchProcess:
            return False
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.spec.port
            for connection in connections
        )

    async def wait_until_exit(self) -> int:
        """Wait for the exit of the process, kill the rest of its process group, and return the exit status."""
        status = await self._process.wait()
        self._kill_group()
        return status

    async def stop(self) -> None:
        """Send the stop signal, wait for the grace period, then kill the process group."""
        with suppress(ProcessLookupError):
            # Only the leader gets the signal: it stops its children in the right order.
            self._process.send_signal(self.spec.stop_signal)
        try:
            async with asyncio.timeout(self.spec.grace_period_seconds):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self._kill_group()
        await self._process.wait()

    def last_log_lines(self) -> tuple[str, ...]:
        """Return the last lines that this process wrote. Lines of earlier processes in the same file do not count."""
        return read_last_lines(self._log, start=self._log_start)

    def _kill_group(self) -> None:
        if self._is_group_killed:
            return  # the operating system may have given the id to another group
        self._is_group_killed = True
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def describe_exit_status(status: int) -> str:
    """Return a description of an exit status. As in subprocess, a negative status is the number of a signal."""
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was ended by {signal.Signals(-status).name}"
