"""The connection pool, one a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]

# Waiting longer for a connection helps nobody: the caller's deadline is near, and the queue only grows.
WAIT_SECONDS = 5.0


@asynccontextmanager
async def open_pool(url: str, *, name: str, size: int) -> AsyncIterator[Pool]:
    """A pool of up to `size` connections in autocommit; a unit of work says BEGIN itself.

    Starts without waiting for the database: what needs it is told that it is unavailable until it is there.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        timeout=WAIT_SECONDS,
        max_lifetime=1800,
        reconnect_timeout=30,
        kwargs={"autocommit": True, "application_name": name, "connect_timeout": 5},
        open=False,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close()
