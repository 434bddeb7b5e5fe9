"""Migrations, by Alembic, one version table in each service's own schema."""

from pathlib import Path

import alembic.command
from alembic import context
from alembic.config import Config
from sqlalchemy import MetaData, create_engine, pool


def upgrade(*, owner_url: str, migrations: Path, schema: str) -> None:
    """Brings the schema to the newest revision, as its owner. Twice at once is safe: the second one waits."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["owner_url"] = owner_url
    config.attributes["schema"] = schema
    alembic.command.upgrade(config, "head")


def run_in_environment(metadata: MetaData) -> None:
    """What a service's migrations/env.py does."""
    attributes = context.config.attributes
    schema: str = attributes["schema"]
    url = str(attributes["owner_url"]).replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=metadata, version_table_schema=schema, include_schemas=True
        )
        with context.begin_transaction():
            connection.exec_driver_sql(
                "SELECT pg_advisory_xact_lock(hashtext(%(name)s))", {"name": f"migrate.{schema}"}
            )
            context.run_migrations()
