"""Migrate schema `auth` in phases: `python -m auth_service.commands.migrate [--plan | --contract]`."""

from pydantic_settings import SettingsConfigDict

from auth_service.persistence.schema import MIGRATIONS, SCHEMA
from auth_service.settings import COMMAND_VARIABLES, AuthSettings
from chassis.database.migrate import MigrationSettings
from chassis.database.migrate_command import run_migrate


class AuthMigrationSettings(MigrationSettings):
    """Settings of the migration, read from environment variables AUTH_..."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")
    other_variables = AuthSettings.variables() | COMMAND_VARIABLES


def main() -> None:
    run_migrate("auth_service", AuthMigrationSettings, schema=SCHEMA, migrations=MIGRATIONS)


if __name__ == "__main__":
    main()
