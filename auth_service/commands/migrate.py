"""Migrate the schema to the newest revision: `python -m auth_service.commands.migrate`. Safe to run again."""

from pydantic_settings import SettingsConfigDict

from auth_service.persistence.schema import APP_ROLE, MIGRATIONS
from auth_service.settings import COMMAND_VARIABLES, DEFAULT_SCHEMA, AuthSettings
from chassis import logs
from chassis.database.migrate import MigrationSettings, migrate
from chassis.database.settings import SchemaName
from chassis.settings import load_settings


class AuthMigrationSettings(MigrationSettings):
    """Settings of the migration, read from environment variables AUTH_..."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")
    other_variables = AuthSettings.variables() | COMMAND_VARIABLES

    database_schema: SchemaName = DEFAULT_SCHEMA


def main() -> None:
    settings = load_settings(AuthMigrationSettings)
    logs.configure_logging(settings.log_level, "auth_service")
    migrate(settings, app_role=APP_ROLE, migrations=MIGRATIONS)


if __name__ == "__main__":
    main()
