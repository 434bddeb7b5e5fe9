"""Running one process without a supervisor: what the tests' servers stand on."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol, Self

from deploy.local.errors import ProcessFailedError, ProcessNotReadyError
from deploy.local.supervision.data_dir_lock import claim
from deploy.local.supervision.orphans import Run
from deploy.local.supervision.process import Process, ProcessSpec, describe_exit


@asynccontextmanager
async def running(spec: ProcessSpec, *, log: Path, run: Run) -> AsyncIterator[Process]:
    """Runs a process from ready to stopped. Raises ProcessFailedError, with its last lines, when it never is ready."""
    process = await Process.start(spec, log=log, run=run)
    try:
        try:
            await process.until_ready()
        except ProcessNotReadyError as error:
            raise ProcessFailedError(str(error), process=spec.name, last_lines=process.last_lines()) from error
        yield process
    finally:
        await process.stop()


async def run_to_end(spec: ProcessSpec, *, log: Path, run: Run) -> None:
    """Runs a command. Raises ProcessFailedError, with its last lines, when it does not end with exit status 0."""
    process = await Process.start(spec, log=log, run=run)
    try:
        status = await process.until_ended()
    finally:
        await process.stop()
    if status:
        message = f"{spec.name} {describe_exit(status)}"
        raise ProcessFailedError(message, process=spec.name, last_lines=process.last_lines())


class Server(Protocol):
    """A server that needs some preparation before it can be started."""

    @property
    def url(self) -> str:
        """How clients reach it."""

    async def prepare(self) -> ProcessSpec:
        """Makes on disk what it needs and returns what to run."""


class EmbeddedServer:
    """A server for the time of an `async with`, in a folder of its own."""

    def __init__(self, server: Server, *, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._exits = AsyncExitStack()

    @property
    def url(self) -> str:
        """How clients reach it."""
        return self._server.url

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exits:
            run = await exits.enter_async_context(claim(self._folder))
            spec = await self._server.prepare()
            log = self._folder / f"{spec.name}.log"
            await exits.enter_async_context(running(spec, log=log, run=run))
            self._exits = exits.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()
