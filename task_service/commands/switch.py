"""Turn a switch of the service on or off: `python -m task_service.commands.switch`.

Every process of the service reads the switches once a second. Transactions that have begun are still committed.
"""

from pydantic_settings import SettingsConfigDict

from chassis.database.settings import SchemaName
from chassis.database.switch_command import SwitchSettings, run_switch_command
from task_service.persistence.schema import OWNER_ROLE
from task_service.settings import COMMAND_VARIABLES, DEFAULT_SCHEMA, TasksSettings
from task_service.switches import SWITCHES


class TasksSwitchSettings(SwitchSettings):
    """Settings from TASKS_* variables."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = TasksSettings.variables() | COMMAND_VARIABLES

    database_schema: SchemaName = DEFAULT_SCHEMA


def main() -> None:
    run_switch_command("task_service", TasksSwitchSettings, owner_role=OWNER_ROLE, names=SWITCHES)


if __name__ == "__main__":
    main()
