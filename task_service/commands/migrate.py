"""Brings schema `tasks` to the newest revision: python -m task_service.commands.migrate."""

from pathlib import Path

import task_service.persistence
from chassis.config import load
from chassis.database.migrate import upgrade
from chassis.database.provision import provision
from task_service.settings import MigrationSettings

SCHEMA = "tasks"


def migrate(settings: MigrationSettings) -> None:
    """Makes roles and schema where an administrator's URL is given, then migrates as the owner."""
    owner_url = settings.owner_database_url.get_secret_value()
    if settings.provision_database_url is not None:
        provision(
            administrator_url=settings.provision_database_url.get_secret_value(),
            owner_url=owner_url,
            app_url=settings.database_url.get_secret_value(),
            schema=SCHEMA,
        )
    migrations = Path(task_service.persistence.__path__[0]) / "migrations"
    upgrade(owner_url=owner_url, migrations=migrations, schema=SCHEMA)


if __name__ == "__main__":
    migrate(load(MigrationSettings))
