"""Migrate the schema to the newest revision: `python -m task_service.commands.migrate`. Safe to run again."""

from pydantic_settings import SettingsConfigDict

from chassis import logs
from chassis.database.migrate import MigrationSettings, migrate
from chassis.database.settings import SchemaName
from chassis.settings import load_settings
from task_service.persistence.schema import APP_ROLE, MIGRATIONS
from task_service.settings import COMMAND_VARIABLES, DEFAULT_SCHEMA, TasksSettings


class TasksMigrationSettings(MigrationSettings):
    """Settings from TASKS_* variables."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = TasksSettings.variables() | COMMAND_VARIABLES

    database_schema: SchemaName = DEFAULT_SCHEMA


def main() -> None:
    settings = load_settings(TasksMigrationSettings)
    logs.configure_logging(settings.log_level, "task_service")
    migrate(settings, app_role=APP_ROLE, migrations=MIGRATIONS)


if __name__ == "__main__":
    main()
