"""Turn a switch of the service on or off: `python -m task_service.commands.switch`.

Every process of the service reads the switches once a second. Transactions that have begun are still committed.
"""

from pydantic_settings import SettingsConfigDict

from chassis.database.settings import SchemaName
from chassis.database.switch_command import run_switch_command
from chassis.database.url import PostgresUrl
from chassis.settings import Settings, load_settings
from task_service.persistence.schema import OWNER_ROLE
from task_service.settings import COMMAND_VARIABLES, DEFAULT_SCHEMA, TasksSettings
from task_service.switches import SWITCHES


class SwitchSettings(Settings):
    """Settings from TASKS_* variables."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = TasksSettings.variables() | COMMAND_VARIABLES

    owner_database_url: PostgresUrl
    """Postgres URL of the schema's owner. No other role can turn switches."""
    database_schema: SchemaName = DEFAULT_SCHEMA


def main() -> None:
    settings = load_settings(SwitchSettings)
    run_switch_command(
        settings.owner_database_url.get_secret_value(),
        variable="TASKS_OWNER_DATABASE_URL",
        role=OWNER_ROLE,
        schema=settings.database_schema,
        service="task_service",
        names=SWITCHES,
    )


if __name__ == "__main__":
    main()
