"""Migrate the schema in phases: `python -m task_service.commands.migrate [--plan | --contract]`."""

from pydantic_settings import SettingsConfigDict

from chassis.database.migrate import MigrationSettings
from chassis.database.migrate_command import run_migrate
from chassis.database.settings import SchemaName
from task_service.persistence.schema import APP_ROLE, MIGRATIONS
from task_service.settings import COMMAND_VARIABLES, DEFAULT_SCHEMA, TasksSettings


class TasksMigrationSettings(MigrationSettings):
    """Settings from TASKS_* variables."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = TasksSettings.variables() | COMMAND_VARIABLES

    database_schema: SchemaName = DEFAULT_SCHEMA


def main() -> None:
    run_migrate("task_service", TasksMigrationSettings, app_role=APP_ROLE, migrations=MIGRATIONS)


if __name__ == "__main__":
    main()
