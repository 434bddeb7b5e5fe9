"""A unit of work returns its connection idle, whenever its caller is cancelled."""

import asyncio
import logging

import pytest
from psycopg_pool import AsyncConnectionPool

from chassis.database.connection import Connection
from chassis.database.pool import Pool, open_pool
from chassis.database.unit_of_work import SqlReadSession, SqlUnitOfWork
from chassis.kernel.errors import Unavailable

MAX_STEPS = 100
"""More steps of the event loop than a unit of work takes here."""


async def run_unit(pool: Pool, *, fails: bool) -> None:
    async with SqlUnitOfWork(pool) as unit:
        await unit.connection.execute("SELECT 1")
        if fails:
            raise LookupError
        await unit.commit()


async def is_cancelled_after(steps: int, pool: Pool, *, fails: bool) -> bool:
    """Cancel a unit of work after so many steps of the event loop; return whether it was still running."""
    task = asyncio.ensure_future(run_unit(pool, fails=fails))
    for _ in range(steps):
        await asyncio.sleep(0)
    was_running = task.cancel()
    await asyncio.gather(task, return_exceptions=True)  # a failure that nobody takes would be logged later
    return was_running and task.cancelled()


@pytest.mark.parametrize("fails", [False, True])
async def test_cancelled_unit_of_work_returns_idle_connection(postgres, caplog, fails):
    """A unit of work that is cancelled at any step returns its connection without an open transaction."""
    with caplog.at_level(logging.WARNING, logger="psycopg.pool"):
        async with open_pool(postgres, name="test", size=1) as pool:
            await pool.wait()
            ends = [await is_cancelled_after(steps, pool, fails=fails) for steps in range(MAX_STEPS)]
            assert any(ends)
            # The pool has one connection. If it were lost or left in a transaction, this would fail.
            async with pool.connection(timeout=5) as connection:
                assert connection.info.transaction_status.name == "IDLE"
    # The pool logs a warning when it rolls back a transaction that was left open.
    assert [record.getMessage() for record in caplog.records if "rolling back" in record.getMessage()] == []


class SlowConnection(Connection):
    """Connection that executes BEGIN and ROLLBACK but reports their completion late."""

    started: asyncio.Queue[str]
    may_finish: asyncio.Event

    async def execute(self, query, *rest, **more):
        cursor = await super().execute(query, *rest, **more)
        if query == "BEGIN":
            self.started.put_nowait("BEGIN")
            await self.may_finish.wait()
        return cursor

    async def rollback(self) -> None:
        self.started.put_nowait("ROLLBACK")
        await self.may_finish.wait()
        await super().rollback()


async def test_unit_of_work_cancelled_twice_returns_connection(postgres, caplog):
    """A unit of work that is cancelled during BEGIN and again during ROLLBACK still returns its connection."""
    SlowConnection.started, SlowConnection.may_finish = asyncio.Queue(), asyncio.Event()
    with caplog.at_level(logging.WARNING, logger="psycopg.pool"):
        pool: Pool = AsyncConnectionPool(
            postgres, connection_class=SlowConnection, kwargs={"autocommit": True}, min_size=1, max_size=1, open=False
        )
        async with asyncio.timeout(20), pool:
            task = asyncio.ensure_future(run_unit(pool, fails=False))
            for moment in ("BEGIN", "ROLLBACK"):
                assert await SlowConnection.started.get() == moment
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            SlowConnection.may_finish.set()
            await run_unit(pool, fails=False)
    # The state of the first connection is unknown, so the pool does not reuse it.
    assert [record.getMessage() for record in caplog.records if "rolling back" in record.getMessage()] == []


@pytest.mark.parametrize("state", ["08006", "25006", "25P03", "25P04", "40001", "40P01", "53300", "55P03", "57P01"])
async def test_temporary_refusals_of_the_database_are_unavailable(postgres, state):
    """SQLSTATEs that mean "not now" are Unavailable in a read session and in a transaction."""
    raise_error = f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$"
    async with open_pool(postgres, name="test", size=1) as pool:
        for session in (SqlReadSession(pool), SqlUnitOfWork(pool)):
            with pytest.raises(Unavailable):
                async with session:
                    await session.connection.execute(raise_error)
