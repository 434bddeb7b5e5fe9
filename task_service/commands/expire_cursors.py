"""End all cursors of the event log: `python -m task_service.commands.expire_cursors`. Run it after each restore.

A restored log may lack events that clients have read already. A client that went on with its old cursor would then miss
the events that take their place. So the log gets a new epoch, and every older cursor and page token is refused.
"""

import argparse
import asyncio

from pydantic_settings import SettingsConfigDict

from chassis.database.command_errors import exit_on_database_error
from chassis.database.connection import SOCKET_OPTIONS, Connection
from chassis.database.url import PostgresUrl
from chassis.logs import configure_logging
from chassis.settings import Settings, load_settings
from task_service.history.persistence.event_log import start_new_epoch
from task_service.persistence.schema import OWNER_ROLE
from task_service.settings import COMMAND_VARIABLES, TasksSettings


class ExpireCursorsSettings(Settings):
    """Settings from TASKS_* variables."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = TasksSettings.variables() | COMMAND_VARIABLES

    owner_database_url: PostgresUrl
    """Postgres URL of the schema's owner. No other role can end cursors."""


def main() -> None:
    argparse.ArgumentParser(prog="python -m task_service.commands.expire_cursors", description=__doc__).parse_args()
    settings = load_settings(ExpireCursorsSettings)
    configure_logging("info", "task_service")
    with exit_on_database_error("TASKS_OWNER_DATABASE_URL", role=OWNER_ROLE):
        asyncio.run(_expire(settings.owner_database_url.get_secret_value()))
    print("All cursors of the event log have expired.")  # noqa: T201 - output of the command


async def _expire(url: str) -> None:
    async with await Connection.connect(url, **SOCKET_OPTIONS) as connection:
        await start_new_epoch(connection)


if __name__ == "__main__":
    main()
