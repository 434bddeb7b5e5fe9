"""End all cursors of the event log: `python -m task_service.commands.expire_cursors`. Run it after each restore.

A restored log may lack events that clients have read already. A client that went on with its old cursor would then miss
the events that take their place. So the log gets a new epoch, and every older cursor and page token is refused.
"""

import argparse
import asyncio
import sys

import psycopg
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.database.connection import SOCKET_OPTIONS
from chassis.database.url import PostgresUrl
from chassis.logs import configure_logging
from chassis.settings import Settings, load_settings
from task_service.history.persistence.event_log import start_new_epoch
from task_service.settings import COMMAND_VARIABLES, TasksSettings


class ExpireCursorsSettings(Settings):
    """Settings from TASKS_* variables."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = TasksSettings.variables() | COMMAND_VARIABLES

    owner_database_url: PostgresUrl = Field(description="as the schema's owner; no other role can end cursors")


def main() -> None:
    argparse.ArgumentParser(prog="python -m task_service.commands.expire_cursors", description=__doc__).parse_args()
    settings = load_settings(ExpireCursorsSettings)
    configure_logging("info", "task_service")
    try:
        asyncio.run(_expire(settings.owner_database_url.get_secret_value()))
    except psycopg.OperationalError:
        sys.exit("Can't connect to the database of TASKS_OWNER_DATABASE_URL. Check the URL and Postgres.")
    except psycopg.errors.UndefinedTable:
        sys.exit("The role of TASKS_OWNER_DATABASE_URL does not find the tables. Run provision and migrate first.")
    except psycopg.errors.InsufficientPrivilege:
        sys.exit("Nothing was changed: TASKS_OWNER_DATABASE_URL must name the role that owns the schema.")
    print("All cursors of the event log have expired.")  # noqa: T201 - output of the command


async def _expire(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, **SOCKET_OPTIONS) as connection:
        await start_new_epoch(connection)


if __name__ == "__main__":
    main()
