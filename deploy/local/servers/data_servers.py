"""Postgres and Redis for one run: the embedded ones, or servers of the operator's."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from deploy.local.config.credentials import Credentials
from deploy.local.config.options import Options, Ports
from deploy.local.errors import LocalStackError
from deploy.local.servers.postgres import PostgresServer
from deploy.local.servers.valkey import ValkeyServer
from deploy.local.supervision.probes import postgres_answers, redis_answers
from deploy.local.supervision.process import ProcessSpec

_DATABASE = "taskmanager"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataServers:
    """Where the data are, and the servers that this run starts for them."""

    postgres_url: str = field(repr=False)
    """A superuser's, with the database in it."""
    redis_url: str = field(repr=False)
    postgres: PostgresServer | None
    valkey: ValkeyServer | None

    @classmethod
    def of(cls, options: Options, *, folder: Path, ports: Ports, credentials: Credentials) -> Self:
        """Takes the operator's servers where they are named, and the embedded ones else."""
        postgres = PostgresServer(
            cluster=folder / "postgres", port=ports.postgres, password=credentials.postgres_password
        )
        valkey = ValkeyServer(folder=folder / "redis", port=ports.redis, password=credentials.redis_password)
        embedded_url = urlsplit(postgres.url)._replace(path=f"/{_DATABASE}").geturl()
        return cls(
            postgres_url=options.postgres_url or embedded_url,
            redis_url=options.redis_url or valkey.url,
            postgres=None if options.postgres_url else postgres,
            valkey=None if options.redis_url else valkey,
        )

    async def prepare(self) -> tuple[ProcessSpec, ...]:
        """Returns what to run. Raises LocalStackError when an operator's server does not answer."""
        if self.postgres is None and not await postgres_answers(self.postgres_url):
            raise LocalStackError("the server named by --postgres-url does not answer, or refuses this user")
        if self.valkey is None and not await redis_answers(self.redis_url):
            raise LocalStackError("the server named by --redis-url does not answer, or refuses this user")
        return tuple([await server.prepare() for server in (self.postgres, self.valkey) if server is not None])

    async def make_database(self) -> None:
        """Makes the database on an embedded server that is new. The operator's URL names one that is there."""
        if self.postgres is None:
            return
        async with await psycopg.AsyncConnection.connect(self.postgres.url, autocommit=True) as connection:
            found = await connection.execute("SELECT FROM pg_database WHERE datname = %s", [_DATABASE])
            if found.rowcount == 0:
                await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE)))
