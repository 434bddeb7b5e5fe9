"""Alembic migrations, with one version table in the schema of each service."""

from functools import partial
from pathlib import Path

import alembic.command
import psycopg
from alembic import context
from alembic.config import Config
from pydantic import Field
from sqlalchemy import MetaData, create_engine, pool

from chassis.database.connection import SOCKET_OPTIONS
from chassis.database.provision import provision
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


def migrate(settings: MigrationSettings, *, schema: str, migrations: Path) -> None:
    """Create the roles and the schema if an administrator's URL is set, then upgrade to the newest revision."""
    owner_url = settings.owner_database_url.get_secret_value()
    if settings.provision_database_url is not None:
        provision(
            administrator_url=settings.provision_database_url.get_secret_value(),
            owner_url=owner_url,
            app_url=settings.database_url.get_secret_value(),
            schema=schema,
        )
    upgrade(owner_url, schema=schema, migrations=migrations)


def upgrade(owner_url: str, *, schema: str, migrations: Path, revision: str = "head") -> None:
    """Upgrade the schema to a revision. Do nothing if it is there already."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["owner_url"] = owner_url
    config.attributes["schema"] = schema
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
            context.run_migrations()
            # The service waits for this revision at its start.
            connection.exec_driver_sql(f"GRANT SELECT ON {schema}.alembic_version TO {schema}_app")
