"""Connection pool, one for each process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from chassis.database.connection import TimeLimitedConnection, connection_options

Connection = AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]

MAX_WAIT_SECONDS = 5.0
"""Maximum wait for a free connection. A longer wait only lengthens the queue: callers' deadlines are near."""


@asynccontextmanager
async def open_pool(url: str, *, name: str, size: int, prepared_statements: bool = True) -> AsyncIterator[Pool]:
    """Yield a pool of up to `size` connections in autocommit mode; a unit of work sends BEGIN itself.

    `name` is the application name, if the URL has none.

    The pool opens without waiting for the database. Until the database responds, users of the pool get Unavailable.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        connection_class=TimeLimitedConnection,
        min_size=1,
        max_size=size,
        timeout=MAX_WAIT_SECONDS,
        max_lifetime=1800,
        reconnect_timeout=30,
        kwargs=connection_options(name, prepared_statements=prepared_statements),
        open=False,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close()
