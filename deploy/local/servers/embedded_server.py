"""Embedded server: one server process that runs without a supervisor, as the tests use it."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol, Self

from deploy.local.supervision.data_dir_lock import exclusive_run
from deploy.local.supervision.process import ProcessSpec
from deploy.local.supervision.single_process import running_process


class Server(Protocol):
    """A server whose files must be prepared before it can start."""

    @property
    def url(self) -> str:
        """The URL for clients."""

    async def prepare(self) -> ProcessSpec:
        """Create the files of the server and return the process to run."""


class EmbeddedServer:
    """Server that runs for the time of an `async with`, in a directory of its own."""

    def __init__(self, server: Server, *, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._exits = AsyncExitStack()

    @property
    def url(self) -> str:
        """The URL for clients."""
        return self._server.url

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exits:
            run = await exits.enter_async_context(exclusive_run(self._directory))
            spec = await self._server.prepare()
            log = self._directory / f"{spec.name}.log"
            await exits.enter_async_context(running_process(spec, log=log, run=run))
            self._exits = exits.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()
