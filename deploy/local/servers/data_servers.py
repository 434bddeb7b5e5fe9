"""Postgres and Redis of one run: the embedded servers, or the operator's own."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from deploy.local.config.credentials import Credentials
from deploy.local.config.options import Options
from deploy.local.config.ports import Ports
from deploy.local.errors import LocalStackError
from deploy.local.servers.postgres import PostgresServer
from deploy.local.servers.valkey import ValkeyServer
from deploy.local.supervision.probes import postgres_is_ready, redis_is_ready
from deploy.local.supervision.process import ProcessSpec

_DATABASE_NAME = "taskmanager"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataServers:
    """URLs of Postgres and Redis, and the embedded servers that this run starts. None means the operator's server."""

    postgres_url: str = field(repr=False)
    """Superuser URL that includes the database name."""
    redis_url: str = field(repr=False)
    postgres: PostgresServer | None
    valkey: ValkeyServer | None

    @classmethod
    def choose(cls, options: Options, *, data_dir: Path, ports: Ports, credentials: Credentials) -> Self:
        """Use the operator's servers if the options name them, else the embedded ones."""
        postgres = PostgresServer(
            cluster=data_dir / "postgres", port=ports.postgres, password=credentials.postgres_password
        )
        valkey = ValkeyServer(directory=data_dir / "redis", port=ports.redis, password=credentials.redis_password)
        embedded_url = urlsplit(postgres.url)._replace(path=f"/{_DATABASE_NAME}").geturl()
        return cls(
            postgres_url=options.postgres_url or embedded_url,
            redis_url=options.redis_url or valkey.url,
            postgres=None if options.postgres_url else postgres,
            valkey=None if options.redis_url else valkey,
        )

    async def prepare(self) -> tuple[ProcessSpec, ...]:
        """Return the server processes to run. Raise LocalStackError if a server of the operator is not ready."""
        if self.postgres is None and not await postgres_is_ready(self.postgres_url):
            raise LocalStackError(_unreachable("--postgres-url"))
        if self.valkey is None and not await redis_is_ready(self.redis_url):
            raise LocalStackError(_unreachable("--redis-url"))
        return tuple([await server.prepare() for server in (self.postgres, self.valkey) if server is not None])

    async def create_database(self) -> None:
        """Create the database if an embedded server is new. The operator's URL names an existing database."""
        if self.postgres is None:
            return
        async with await psycopg.AsyncConnection.connect(self.postgres.url, autocommit=True) as connection:
            found = await connection.execute("SELECT FROM pg_database WHERE datname = %s", [_DATABASE_NAME])
            if found.rowcount == 0:
                await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE_NAME)))


def _unreachable(option: str) -> str:
    return f"The server of {option} does not respond, or rejects the login. Check that it runs, and check the URL."
