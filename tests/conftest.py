"""What every test may ask for: real servers, and databases of its own."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from pydantic import SecretStr

import auth_service.commands.migrate
import task_service.commands.migrate
from chassis.database.migrate import MigrationSettings, migrate
from chassis.testing.databases import temporary_database, with_parts
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.valkey import EmbeddedValkey
from tests.s3 import EmbeddedS3


@dataclass(frozen=True)
class Databases:
    """One database with both schemas, as its different roles see it."""

    administrator_url: str

    def url(self, role: str) -> str:
        return with_parts(self.administrator_url, role=role)

    async def execute(self, statement: str, *, role: str | None = None) -> list[tuple[Any, ...]]:
        """Runs SQL, as an administrator or as a role; the rows it answers."""
        url = self.url(role) if role else self.administrator_url
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            cursor = await connection.execute(statement)
            return await cursor.fetchall() if cursor.description else []

    @property
    def auth_url(self) -> str:
        return self.url("auth_app")

    @property
    def tasks_url(self) -> str:
        return self.url("tasks_app")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("servers")
    group.addoption("--postgres-url", default=os.environ.get("TEST_POSTGRES_URL"), help="a superuser's URL of yours")
    group.addoption("--redis-url", default=os.environ.get("TEST_REDIS_URL"), help="a Redis or Valkey of yours")


@pytest_asyncio.fixture(scope="session")
async def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A superuser's URL of a running Postgres."""
    if given := request.config.getoption("--postgres-url"):
        yield given
        return
    folder: Path = tmp_path_factory.mktemp("postgres")
    async with EmbeddedPostgres(folder, throwaway=True) as server:
        yield server.url


@pytest_asyncio.fixture(scope="session")
async def redis_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """The URL of a running Valkey."""
    if given := request.config.getoption("--redis-url"):
        yield given
        return
    folder: Path = tmp_path_factory.mktemp("valkey")
    async with EmbeddedValkey(folder) as server:
        yield server.url


@pytest_asyncio.fixture(scope="session")
async def s3(tmp_path_factory: pytest.TempPathFactory):
    """A running S3 server with an empty bucket."""
    async with EmbeddedS3(tmp_path_factory.mktemp("s3")) as server:
        yield server.server


@pytest.fixture(scope="session")
def template(postgres: str):
    """The name of a database with both schemas migrated."""
    with temporary_database(postgres) as url:
        databases = Databases(url)
        for command in (auth_service.commands.migrate, task_service.commands.migrate):
            settings = MigrationSettings(
                provision_database_url=SecretStr(url),
                owner_database_url=SecretStr(databases.url(f"{command.SCHEMA}_owner")),
                database_url=SecretStr(databases.url(f"{command.SCHEMA}_app")),
            )
            migrate(settings, schema=command.SCHEMA, migrations=command.MIGRATIONS)
        yield url.rpartition("/")[2]


@pytest.fixture
def databases(postgres: str, template: str):
    """A database of the test's own, migrated and empty."""
    with temporary_database(postgres, template=template) as url:
        yield Databases(url)
