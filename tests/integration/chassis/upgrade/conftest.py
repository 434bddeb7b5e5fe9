"""An old and a new release of a schema: the new one renames a column in phases."""

from pathlib import Path

import pytest

from chassis.database.provision import Login, provision
from chassis.testing.database import PASSWORD, temporary_database
from tests.integration.chassis.upgrade.release import (
    CREATE,
    RENAME_CONTRACT,
    RENAME_COPY,
    RENAME_EXPAND,
    SCHEMA,
    Release,
)
from tests.support.database import Database
from tests.support.releases import create_migrations, write_revision


@pytest.fixture
def empty_database(postgres):
    """A database with the roles and an empty schema."""
    with temporary_database(postgres) as url:
        database = Database(url)
        owner, app = (Login("DATABASE_URL", f"{SCHEMA}_{role}", PASSWORD) for role in ("owner", "app"))
        provision(administrator_url=url, owner=owner, app=app, schema=SCHEMA)
        yield database


@pytest.fixture
def old(empty_database: Database, tmp_path: Path) -> Release:
    """The old release, not yet migrated."""
    migrations = create_migrations(tmp_path / "old")
    write_revision(migrations, "0001", CREATE)
    return Release(empty_database, migrations)


@pytest.fixture
def new(empty_database: Database, tmp_path: Path) -> Release:
    """The new release, not yet migrated."""
    migrations = create_migrations(tmp_path / "new")
    write_revision(migrations, "0001", CREATE)
    write_revision(migrations, "0002", RENAME_EXPAND, after="0001")
    write_revision(migrations, "0003", RENAME_COPY, after="0002")
    write_revision(migrations, "c0001", RENAME_CONTRACT, contract=True, depends_on="0003")
    return Release(empty_database, migrations)
