"""Reads that wait until a test ends them.

A row policy makes every read of one owner's rows wait for an advisory lock, which the test holds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import psycopg

from tests.support.waiting import until

LOCK = 1
_POLICY = """
    CREATE FUNCTION {schema}.wait_for_test() RETURNS boolean LANGUAGE plpgsql VOLATILE COST 100000
        AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared({lock}); RETURN true; END $$;
    GRANT EXECUTE ON FUNCTION {schema}.wait_for_test TO {role};
    ALTER TABLE {schema}.{table} ENABLE ROW LEVEL SECURITY;
    CREATE POLICY hold ON {schema}.{table} TO {role}
        USING ({column} NOT IN ({owners}) OR {schema}.wait_for_test()) WITH CHECK (true)
"""


@dataclass(frozen=True, slots=True)
class HeldTable:
    """A table whose rows wait, the role that reads it, and the column with the owner."""

    schema: str
    table: str
    role: str
    column: str

    def policy(self, owners: str) -> str:
        return _POLICY.format(**asdict(self), lock=LOCK, owners=owners)


TASKS = HeldTable("tasks", "tasks", "tasks_app", "owner_id")
USERS = HeldTable("auth", "users", "auth_app", "id")


def disable_timeouts(database) -> None:
    """Let calls wait for the lock as long as a test takes. It applies to connections that are opened later."""
    name = database.administrator_url.rpartition("/")[2]
    for role in ("tasks_app", "auth_app"):
        for setting in ("lock_timeout", "statement_timeout"):
            database.rows(f"ALTER ROLE {role} IN DATABASE {name} SET {setting} = '60s'")


def waiting(database) -> int:
    return database.rows(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", LOCK
    )[0][0]


@asynccontextmanager
async def held(
    database, *owners, calls: Sequence[Callable[[], Awaitable[object]]], at_least: int, table: HeldTable = TASKS
):
    """Hold the owners' reads, start the calls, and yield when `at_least` of them hold a connection."""
    names = ", ".join(f"'{owner.id}'" for owner in owners)
    await database.execute(table.policy(names))
    async with await psycopg.AsyncConnection.connect(database.administrator_url, autocommit=True) as lock:
        await lock.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        running = [asyncio.ensure_future(call()) for call in calls]
        try:
            await until(lambda: waiting(database) >= at_least)
            yield running
        finally:
            for call in running:
                call.cancel()
            await asyncio.gather(*running, return_exceptions=True)
