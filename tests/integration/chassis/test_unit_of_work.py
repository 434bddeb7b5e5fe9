"""A unit of work leaves its connection as it found it, whenever its caller is cancelled."""

import asyncio
import logging

import pytest

from chassis.database.pool import Pool, open_pool
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
async def test_whoever_is_cancelled_at_any_moment_gives_a_connection_back_without_a_transaction(
    postgres, caplog, fails
):
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
