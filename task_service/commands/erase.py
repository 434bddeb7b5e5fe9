"""Erases what people wrote from history: `python -m task_service.commands.erase --owner ID` or `--task ID`.

Titles, descriptions, labels and external ids in the events of all tasks that a user owned, or of one task. What
happened, when, and who did it stays. Safe to run again. The tasks themselves are not touched: purge them first, else
their next change tells history their text anew.
"""

import argparse
import asyncio
import sys
from uuid import UUID

import psycopg
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import Settings, load_settings
from task_service.history.persistence.erasure import SqlErasure


class EraseSettings(Settings):
    """TASKS_..."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")

    owner_database_url: SecretStr = Field(description="as the role that owns the schema: no other may erase")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m task_service.commands.erase", description=__doc__)
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--owner", type=UUID, metavar="ID", help="the user whose tasks they were")
    whose.add_argument("--task", type=UUID, metavar="ID")
    arguments = parser.parse_args()
    settings = load_settings(EraseSettings)
    try:
        erased = asyncio.run(_erase(settings.owner_database_url.get_secret_value(), arguments.owner, arguments.task))
    except psycopg.OperationalError:
        sys.exit("The database of TASKS_OWNER_DATABASE_URL does not answer.")
    except psycopg.errors.InsufficientPrivilege:
        sys.exit("TASKS_OWNER_DATABASE_URL is not of the role that owns the schema: nothing was erased.")
    print(f"The free text of {erased} events was erased.")  # noqa: T201 - this is what the command answers


async def _erase(url: str, owner_id: UUID | None, task_id: UUID) -> int:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        erasure = SqlErasure(connection)
        batches = erasure.of_task(task_id) if owner_id is None else erasure.of_owner(owner_id)
        return sum([erased async for erased in batches])


if __name__ == "__main__":
    main()
