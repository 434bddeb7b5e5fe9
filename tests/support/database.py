"""A migrated database of one test, and how to query it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

import auth_service.persistence.schema
import auth_service.settings
import task_service.persistence.schema
import task_service.settings
from chassis.database.provision import Login, provision
from chassis.database.upgrade import upgrade
from chassis.testing.database import PASSWORD, derive_url, temporary_database

TEMPLATE_LOCK = 20261128
"""Advisory lock. Roles belong to the whole server, so processes that share one must not migrate at the same time."""


SEARCH_PATH = "-c search_path=tasks"
"""Options with which an administrator finds the tables of task_service as its app role does."""


@dataclass(frozen=True)
class Database:
    """One database with the schemas of both services, and a URL for each database role."""

    administrator_url: str

    def url(self, role: str) -> str:
        return derive_url(self.administrator_url, role=role)

    async def execute(self, statement: str, *, role: str | None = None) -> list[tuple[Any, ...]]:
        """Run SQL as a role, or as an administrator; return its rows."""
        url = self.url(role) if role else self.administrator_url
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            cursor = await connection.execute(statement)
            return await cursor.fetchall() if cursor.description else []

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run SQL as an administrator and commit; return its rows."""
        with psycopg.connect(self.administrator_url) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    @property
    def auth_url(self) -> str:
        return self.url("auth_app")

    @property
    def tasks_url(self) -> str:
        return self.url("tasks_app")


@dataclass(frozen=True)
class ForwardedDatabase(Database):
    """Database whose services connect through a pooler or a proxy on another port of this machine."""

    port: int

    @property
    def auth_url(self) -> str:
        return self._forward(super().auth_url)

    @property
    def tasks_url(self) -> str:
        return self._forward(super().tasks_url)

    def _forward(self, url: str) -> str:
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{login}@127.0.0.1:{self.port}").geturl()


TUNING = (
    # Each connection derives a key from its password on both sides; the default of 4096 rounds takes milliseconds.
    "scram_iterations = 1",
    # Databases live for a second. An autovacuum worker in the template would make CREATE DATABASE wait for it.
    "autovacuum = off",
    "checkpoint_timeout = '1d'",
)


def tune(administrator_url: str) -> None:
    """Configure a throwaway server for many short-lived databases and connections."""
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        for setting in TUNING:
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
    parts = urlsplit(administrator_url)
    with psycopg.connect(administrator_url, autocommit=True, options="-c scram_iterations=1") as connection:
        # Hash the superuser's password again: it still has the rounds of initdb.
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                sql.Identifier(str(parts.username)), sql.Literal(parts.password)
            )
        )


def create_schema(
    database: Database, service: ModuleType, *, name: str | None = None, revision: str | None = None
) -> None:
    """Provision the roles and the schema of a service, and migrate it; the schema's default name is the service's."""
    roles, schema = service.persistence.schema, name or service.settings.DEFAULT_SCHEMA
    provision(
        administrator_url=database.administrator_url,
        owner=Login("OWNER_DATABASE_URL", roles.OWNER_ROLE, PASSWORD),
        app=Login("DATABASE_URL", roles.APP_ROLE, PASSWORD),
        schema=schema,
    )
    migrate_schema(database, service, name=name, revision=revision)


def migrate_schema(
    database: Database, service: ModuleType, *, name: str | None = None, revision: str | None = None
) -> None:
    """Migrate the schema of a service, which exists."""
    roles, schema = service.persistence.schema, name or service.settings.DEFAULT_SCHEMA
    url = database.url(roles.OWNER_ROLE)
    upgrade(url, schema=schema, app_role=roles.APP_ROLE, migrations=roles.MIGRATIONS, until=revision)


@contextmanager
def migrated_template(administrator_url: str) -> Iterator[str]:
    """Create a database with both schemas and yield its name, from which tests clone theirs."""
    with temporary_database(administrator_url) as url, psycopg.connect(administrator_url, autocommit=True) as lock:
        lock.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        database = Database(url)
        for service in (auth_service, task_service):
            create_schema(database, service)
        lock.close()
        yield url.rpartition("/")[2]
