"""Migration of a service's schema, with its settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from pydantic import Field

from chassis.database.connection import SOCKET_OPTIONS
from chassis.database.migration_plan import MigrationError, describe
from chassis.database.provision import provision
from chassis.database.revisions import Phase, RevisionHistory
from chassis.database.schema_state import read_as_owner
from chassis.database.upgrade import upgrade
from chassis.database.url import PostgresUrl
from chassis.logs import LogLevel
from chassis.settings import Settings


class MigrationSettings(Settings):
    """Database URLs of the roles that a migration needs. A service's subclass adds its prefix."""

    log_level: LogLevel = "info"
    provision_database_url: PostgresUrl | None = Field(
        default=None,
        description="administrator; unset: the roles and the schema exist already",
    )
    owner_database_url: PostgresUrl = Field(description="role that owns the schema and migrates it")
    database_url: PostgresUrl = Field(description="role that the service uses")


def migrate(settings: MigrationSettings, *, schema: str, migrations: Path, phase: Phase = Phase.EXPAND) -> None:
    """Create the roles and the schema if an administrator's URL is set, then run a phase of the upgrade.

    Raises MigrationError, with one line for the operator.
    """
    owner_url = settings.owner_database_url.get_secret_value()
    if settings.provision_database_url is not None and phase is Phase.EXPAND:
        with _name_variable(settings, "provision_database_url"):
            provision(
                administrator_url=settings.provision_database_url.get_secret_value(),
                owner_url=owner_url,
                app_url=settings.database_url.get_secret_value(),
                schema=schema,
            )
    with _name_variable(settings, "owner_database_url"):
        upgrade(owner_url, schema=schema, app_role=f"{schema}_app", migrations=migrations, phase=phase)


def plan(settings: MigrationSettings, *, schema: str, migrations: Path) -> str:
    """Return the SQL that both phases would run. It changes nothing. Raises MigrationError."""
    history = RevisionHistory(schema, migrations)
    owner_url = settings.owner_database_url.get_secret_value()
    with (
        _name_variable(settings, "owner_database_url"),
        psycopg.connect(owner_url, autocommit=True, **SOCKET_OPTIONS) as connection,
    ):
        return "\n".join(describe(history, read_as_owner(connection, schema)))


@contextmanager
def _name_variable(settings: MigrationSettings, field: str) -> Iterator[None]:
    """Raise MigrationError with the variable's name when the database of its URL does not respond or refuses."""
    try:
        yield
    except psycopg.Error as error:
        variable = f"{settings.model_config.get('env_prefix', '')}{field}".upper()
        cause = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise MigrationError(f"{variable}: {cause}") from error
