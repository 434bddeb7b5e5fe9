"""A unit of work leaves its connection as it found it, whenever its caller is cancelled."""

import asyncio
import logging

import pytest
from psycopg_pool import AsyncConnectionPool

from chassis.database.pool import Connection, Pool, open_pool
from chassis.database.unit_of_work import SqlUnitOfWork

MOST_STEPS = 100
"""More than a unit of work here takes of the event loop."""


class Work(SqlUnitOfWork):
    def bind(self, connection) -> None:
        """Nothing to make."""


async def work(pool: Pool, *, fails: bool) -> None:
    async with Work(pool) as unit:
        await unit.connection.execute("SELECT 1")
        if fails:
            raise LookupError
        await unit.commit()


async def cancelled_after(steps: int, pool: Pool, *, fails: bool) -> bool:
    """Whether a unit of work that is cancelled after so many turns of the event loop was still at it."""
    task = asyncio.ensure_future(work(pool, fails=fails))
    for _ in range(steps):
        await asyncio.sleep(0)
    was_at_it = task.cancel()
    await asyncio.wait({task})
    return was_at_it and task.cancelled()


@pytest.mark.parametrize("fails", [False, True])
async def test_cancelled_unit_of_work_returns_idle_connection(postgres, caplog, fails):
    """A unit of work that is cancelled at any step returns its connection without an open transaction."""
    with caplog.at_level(logging.WARNING, logger="psycopg.pool"):
        async with open_pool(postgres, name="test", size=1) as pool:
            await pool.wait()
            ends = [await cancelled_after(steps, pool, fails=fails) for steps in range(MOST_STEPS)]
            assert any(ends)
            # There is one connection: had it been lost, or left in a transaction, nobody could say this.
            async with pool.connection(timeout=5) as connection:
                assert connection.info.transaction_status.name == "IDLE"
    # The pool would have ended what was left open, and says so.
    assert [record.getMessage() for record in caplog.records if "rolling back" in record.getMessage()] == []


class Dawdling(Connection):
    """One that has begun, or is to undo, long before whoever asked for it hears of it."""

    asked: asyncio.Queue[str]
    answers: asyncio.Event

    async def execute(self, query, *rest, **more):
        cursor = await super().execute(query, *rest, **more)
        if query == "BEGIN":
            self.asked.put_nowait("BEGIN")
            await self.answers.wait()
        return cursor

    async def rollback(self) -> None:
        self.asked.put_nowait("ROLLBACK")
        await self.answers.wait()
        await super().rollback()


async def test_unit_of_work_cancelled_twice_returns_connection(postgres, caplog):
    """A unit of work that is cancelled during BEGIN and again during ROLLBACK still returns its connection."""
    Dawdling.asked, Dawdling.answers = asyncio.Queue(), asyncio.Event()
    with caplog.at_level(logging.WARNING, logger="psycopg.pool"):
        pool: Pool = AsyncConnectionPool(
            postgres, connection_class=Dawdling, kwargs={"autocommit": True}, min_size=1, max_size=1, open=False
        )
        async with asyncio.timeout(20), pool:
            task = asyncio.ensure_future(work(pool, fails=False))
            for moment in ("BEGIN", "ROLLBACK"):
                assert await Dawdling.asked.get() == moment
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            Dawdling.answers.set()
            await work(pool, fails=False)
    # Nobody knows how far the first one came: it is not handed on.
    assert [record.getMessage() for record in caplog.records if "rolling back" in record.getMessage()] == []
