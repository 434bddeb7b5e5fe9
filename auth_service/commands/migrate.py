"""Brings schema `auth` to the newest revision: python -m auth_service.commands.migrate. Safe to run again."""

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from auth_service import persistence
from chassis import logs
from chassis.settings import load_settings
from chassis.database.migrate import MigrationSettings, migrate

SCHEMA = "auth"
MIGRATIONS = Path(persistence.__path__[0]) / "migrations"


class AuthMigrationSettings(MigrationSettings):
    """AUTH_..."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")


def main() -> None:
    settings = load_settings(AuthMigrationSettings)
    logs.configure(settings.log_level, "auth_service")
    migrate(settings, schema=SCHEMA, migrations=MIGRATIONS)


if __name__ == "__main__":
    main()
