"""Migration of a service's schema, with its settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from chassis.database.connection import SOCKET_OPTIONS
from chassis.database.migration_plan import MigrationError, describe
from chassis.database.revisions import Phase, RevisionHistory
from chassis.database.schema_state import read_as_owner
from chassis.database.settings import SchemaName
from chassis.database.upgrade import upgrade
from chassis.database.url import PostgresUrl
from chassis.logs import LogLevel
from chassis.settings import Settings


class MigrationSettings(Settings):
    """Settings of a migration. A service's subclass adds its prefix and the default of the schema."""

    log_level: LogLevel = "info"
    owner_database_url: PostgresUrl
    """Postgres URL of the role that owns the schema and migrates it."""
    database_schema: SchemaName
    """Schema to migrate."""


def migrate(settings: MigrationSettings, *, app_role: str, migrations: Path, phase: Phase = Phase.EXPAND) -> None:
    """Run a phase of the upgrade. The roles and the schema exist: `provision` creates them.

    Raises MigrationError, with one line for the operator.
    """
    owner_url = settings.owner_database_url.get_secret_value()
    with _name_variable(settings):
        upgrade(owner_url, schema=settings.database_schema, app_role=app_role, migrations=migrations, phase=phase)


def plan(settings: MigrationSettings, *, migrations: Path) -> str:
    """Return the SQL that both phases would run. It changes nothing. Raises MigrationError."""
    history = RevisionHistory(settings.database_schema, migrations)
    owner_url = settings.owner_database_url.get_secret_value()
    with _name_variable(settings), psycopg.connect(owner_url, autocommit=True, **SOCKET_OPTIONS) as connection:
        return "\n".join(describe(history, read_as_owner(connection, settings.database_schema)))


@contextmanager
def _name_variable(settings: MigrationSettings) -> Iterator[None]:
    """Raise MigrationError with the variable's name when the database of its URL does not respond or refuses."""
    try:
        yield
    except psycopg.errors.InvalidSchemaName as error:
        raise MigrationError(f"schema {settings.database_schema} does not exist: run provision first") from error
    except psycopg.Error as error:
        variable = f"{settings.model_config.get('env_prefix', '')}OWNER_DATABASE_URL"
        cause = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise MigrationError(f"{variable}: {cause}") from error
