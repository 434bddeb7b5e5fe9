"""Migrate the schema in phases: `python -m auth_service.commands.migrate [--plan | --contract]`."""

from pydantic_settings import SettingsConfigDict

from auth_service.persistence.schema import APP_ROLE, MIGRATIONS
from auth_service.settings import COMMAND_VARIABLES, DEFAULT_SCHEMA, AuthSettings
from chassis.database.migrate import MigrationSettings
from chassis.database.migrate_command import run_migrate
from chassis.database.settings import SchemaName


class AuthMigrationSettings(MigrationSettings):
    """Settings of the migration, read from environment variables AUTH_..."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")
    other_variables = AuthSettings.variables() | COMMAND_VARIABLES

    database_schema: SchemaName = DEFAULT_SCHEMA


def main() -> None:
    run_migrate("auth_service", AuthMigrationSettings, app_role=APP_ROLE, migrations=MIGRATIONS)


if __name__ == "__main__":
    main()
