"""Holds history against its seals: `python -m task_service.commands.verify [--head NUMBER:HASH]`.

Names the first event that was edited, removed, reordered or inserted, or the seal that was changed. With a head that
was kept elsewhere (GetAuditHead), also what a chain alone can't show: that its end was cut off, or that somebody who
could write to the database wrote all of it anew. Only reads, as the role that the service works as.
"""

import argparse
import asyncio
import sys

import psycopg
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import Settings, load_settings
from task_service.history.domain.hash_chain import KeptHead
from task_service.history.persistence.hash_chain import SqlSeals
from task_service.history.usecases.hash_chain import Tampered, Verified, VerifyHistory

# A page is quick; what has to look for one event in the whole log, to say what became of it, need not be.
OPTIONS = "-c default_transaction_read_only=on -c statement_timeout=0"


class VerifySettings(Settings):
    """TASKS_..."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")

    database_url: SecretStr = Field(description="Postgres, as the role tasks_app")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m task_service.commands.verify", description=__doc__)
    parser.add_argument("--head", type=_head, metavar="NUMBER:HASH", help="a head that was kept elsewhere")
    arguments = parser.parse_args()
    settings = load_settings(VerifySettings)
    try:
        found = asyncio.run(_verify(settings.database_url.get_secret_value(), arguments.head))
    except Tampered as error:
        sys.exit(str(error))
    except psycopg.OperationalError:
        sys.exit("The database of TASKS_DATABASE_URL does not answer.")
    except psycopg.errors.UndefinedTable:
        sys.exit("The database is not migrated: run `python -m task_service.commands.migrate` first.")
    print(  # noqa: T201 - this is what the command answers
        f"History is whole: {found.head.number} seals, {found.head.events} events, {found.erased} of them erased,"
        f" {found.not_sealed} not yet sealed."
    )


def _head(text: str) -> KeptHead:
    try:
        return KeptHead.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a head is NUMBER:HASH, the hash in 64 hexadecimal digits") from None


async def _verify(url: str, kept: KeptHead | None) -> Verified:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, options=OPTIONS) as connection:
        return await VerifyHistory(SqlSeals(connection))(kept)


if __name__ == "__main__":
    main()
