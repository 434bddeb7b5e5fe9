"""Migrate schema `tasks` in phases: `python -m task_service.commands.migrate [--plan | --contract]`."""

from pydantic_settings import SettingsConfigDict

from chassis.database.migrate import MigrationSettings
from chassis.database.migrate_command import run_migrate
from task_service.persistence.schema import MIGRATIONS, SCHEMA
from task_service.settings import COMMAND_VARIABLES, TasksSettings


class TasksMigrationSettings(MigrationSettings):
    """Settings from TASKS_* variables."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = TasksSettings.variables() | COMMAND_VARIABLES


def main() -> None:
    run_migrate("task_service", TasksMigrationSettings, schema=SCHEMA, migrations=MIGRATIONS)


if __name__ == "__main__":
    main()
