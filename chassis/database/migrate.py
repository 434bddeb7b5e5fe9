"""Alembic migrations, with one version table in the schema of each service."""

import sys
from functools import partial
from pathlib import Path

import alembic.command
import psycopg
from alembic import context
from alembic.config import Config
from pydantic import Field
from sqlalchemy import MetaData, create_engine, pool
from sqlalchemy.exc import DBAPIError

from chassis.database.connection import SOCKET_OPTIONS
from chassis.database.settings import SchemaName
from chassis.database.url import PostgresUrl
from chassis.logs import LogLevel
from chassis.settings import Settings


class MigrationSettings(Settings):
    """Settings of a migration. A service's subclass adds its prefix and the default of the schema."""

    log_level: LogLevel = "info"
    owner_database_url: PostgresUrl = Field(description="role that owns the schema and migrates it")
    database_schema: SchemaName = Field(description="schema to migrate")


def migrate(settings: MigrationSettings, *, app_role: str, migrations: Path) -> None:
    """Upgrade the schema to the newest revision. The roles and the schema exist: `provision` creates them.

    Print one line and exit with status 2 if the owner can't log in, or if the schema does not exist.
    """
    owner_url, schema = settings.owner_database_url.get_secret_value(), settings.database_schema
    variable = f"{settings.model_config.get('env_prefix', '')}OWNER_DATABASE_URL"
    try:
        upgrade(owner_url, schema=schema, app_role=app_role, migrations=migrations)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InvalidSchemaName):
            problem = f"schema {schema} does not exist: run provision first"
        elif isinstance(error.orig, psycopg.OperationalError) and error.orig.sqlstate is None:
            problem = f"{variable}: {' '.join(str(error.orig).split())}"
        else:
            raise
        sys.stderr.write(f"{problem}\n")
        raise SystemExit(2) from None


def upgrade(owner_url: str, *, schema: str, app_role: str, migrations: Path, revision: str = "head") -> None:
    """Upgrade the schema to a revision. Do nothing if it is there already."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["owner_url"] = owner_url
    config.attributes["schema"] = schema
    config.attributes["app_role"] = app_role
    alembic.command.upgrade(config, revision)


def run_in_environment(metadata: MetaData) -> None:
    """Run the migrations of the current Alembic environment. A concurrent run waits for a lock."""
    attributes = context.config.attributes
    schema: str = attributes["schema"]
    # libpq reads the URL, as for every other connection. SQLAlchemy would read some URLs differently.
    connect = partial(psycopg.connect, str(attributes["owner_url"]), **SOCKET_OPTIONS)
    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=metadata, version_table_schema=schema, include_schemas=True
        )
        with context.begin_transaction():
            connection.exec_driver_sql(
                "SELECT pg_advisory_xact_lock(hashtext(%(name)s))", {"name": f"migrate.{schema}"}
            )
            # The statements of the migrations name no schema.
            connection.exec_driver_sql(f"SET LOCAL search_path TO {schema}")
            context.run_migrations()
            # The service waits for this revision at its start.
            connection.exec_driver_sql(f"GRANT SELECT ON {schema}.alembic_version TO {attributes['app_role']}")
