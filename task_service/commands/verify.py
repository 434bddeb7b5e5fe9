"""Verify history against its hash chain: `python -m task_service.commands.verify [--head NUMBER:HASH]`.

Names the first event that was edited, removed, reordered or inserted, or the block that was changed. The chain alone
can't show that its end was cut off, or that somebody with write access rewrote all of it. A trusted head shows both: a
head from GetAuditHead that was stored elsewhere. The command only reads, with the role of the service.
"""

import argparse
import asyncio
import sys

from pydantic_settings import SettingsConfigDict

from chassis.database.command_errors import exit_on_database_error
from chassis.database.connection import Connection, connection_options
from chassis.database.url import PostgresUrl
from chassis.logs import configure_logging
from chassis.settings import Settings, load_settings
from task_service.history.domain.hash_chain import TrustedHead
from task_service.history.persistence.hash_chain import SqlBlocks
from task_service.history.usecases.hash_chain import HistoryTampered, VerificationResult, VerifyHashChain
from task_service.persistence.schema import APP_ROLE
from task_service.settings import COMMAND_VARIABLES, TasksSettings

# No statement timeout: a page is fast, but searching the whole log for a missing event may be slow.
# Settings of a transaction, because a pooler refuses settings of a session. Each statement has a snapshot of its own.
BEGIN = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = 0;"
    " SET LOCAL idle_in_transaction_session_timeout = 0"
)


class VerifySettings(Settings):
    """Settings from TASKS_* variables."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = TasksSettings.variables() | COMMAND_VARIABLES

    database_url: PostgresUrl
    """Postgres URL of the role tasks_app."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m task_service.commands.verify", description=__doc__)
    parser.add_argument("--head", type=_head, metavar="NUMBER:HASH", help="trusted head that the chain must contain")
    arguments = parser.parse_args()
    settings = load_settings(VerifySettings)
    configure_logging("info", "task_service")
    try:
        with exit_on_database_error("TASKS_DATABASE_URL", role=APP_ROLE):
            result = asyncio.run(_verify(settings.database_url.get_secret_value(), arguments.head))
    except HistoryTampered as error:
        sys.exit(str(error))
    print(  # noqa: T201 - output of the command
        f"History is whole: {result.head.number} blocks, {result.head.total_events} events,"
        f" {result.erased_events} of them erased, {result.unsealed_events} not yet sealed."
    )


def _head(text: str) -> TrustedHead:
    try:
        return TrustedHead.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError("use NUMBER:HASH, with a hash of 64 hexadecimal digits") from None


async def _verify(url: str, trusted: TrustedHead | None) -> VerificationResult:
    options = connection_options("task_service verify", prepared_statements=False)
    async with await Connection.connect(url, **options) as connection:
        await connection.execute(BEGIN)
        return await VerifyHashChain(SqlBlocks(connection))(trusted)


if __name__ == "__main__":
    main()
