"""Erase free text from history: `python -m task_service.commands.erase --owner ID` or `--task ID`.

Erases titles, descriptions, labels and external ids in the events of all tasks that a user owned, or of one task.
Action, time and actor stay. Safe to run again. The tasks themselves stay unchanged: purge them first, or their next
change records their text in history again.
"""

import argparse
import asyncio
from uuid import UUID

from pydantic_settings import SettingsConfigDict

from chassis.database.command_errors import exit_on_database_error
from chassis.database.connection import SOCKET_OPTIONS, Connection
from chassis.database.url import PostgresUrl
from chassis.logs import configure_logging
from chassis.settings import Settings, load_settings
from task_service.history.persistence.erasure import SqlErasure
from task_service.persistence.schema import OWNER_ROLE
from task_service.settings import COMMAND_VARIABLES, TasksSettings


class EraseSettings(Settings):
    """Settings from TASKS_* variables."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = TasksSettings.variables() | COMMAND_VARIABLES

    owner_database_url: PostgresUrl
    """Postgres URL of the schema's owner. No other role can erase."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m task_service.commands.erase", description=__doc__)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--owner", type=UUID, metavar="ID", help="erase events of all tasks that this user owned")
    target.add_argument("--task", type=UUID, metavar="ID", help="erase events of this task")
    arguments = parser.parse_args()
    settings = load_settings(EraseSettings)
    configure_logging("info", "task_service")
    with exit_on_database_error("TASKS_OWNER_DATABASE_URL", role=OWNER_ROLE):
        erased = asyncio.run(_erase(settings.owner_database_url.get_secret_value(), arguments.owner, arguments.task))
    print(f"Erased the free text of {erased} events.")  # noqa: T201 - output of the command


async def _erase(url: str, owner_id: UUID | None, task_id: UUID) -> int:
    async with await Connection.connect(url, autocommit=True, **SOCKET_OPTIONS) as connection:
        erasure = SqlErasure(connection)
        batches = erasure.erase_task(task_id) if owner_id is None else erasure.erase_owner(owner_id)
        return sum([erased async for erased in batches])


if __name__ == "__main__":
    main()
