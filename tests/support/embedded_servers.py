"""Embedded servers: each is one server process that runs without a supervisor."""

import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol, Self

from deploy.local.host.free_ports import find_free_port
from deploy.local.servers.postgres import PostgresServer
from deploy.local.servers.valkey import ValkeyServer
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


class EmbeddedPostgres(EmbeddedServer):
    """Postgres server that runs for the time of an `async with`. Its directory keeps the data.

    To open an existing directory, pass its password; the default is a random one. With `durable=False` no write waits
    for the disk.
    """

    def __init__(self, directory: Path, *, port: int = 0, password: str | None = None, durable: bool = True) -> None:
        server = PostgresServer(
            cluster=directory / "cluster",
            port=port or find_free_port(),
            password=password or secrets.token_urlsafe(24),
            durable=durable,
        )
        super().__init__(server, directory=directory)


class EmbeddedValkey(EmbeddedServer):
    """Valkey server that runs for the time of an `async with`. Its directory keeps the data.

    To open an existing directory, pass its password; the default is a random one.
    """

    def __init__(self, directory: Path, *, port: int = 0, password: str | None = None) -> None:
        server = ValkeyServer(
            directory=directory / "data", port=port or find_free_port(), password=password or secrets.token_urlsafe(24)
        )
        super().__init__(server, directory=directory)
