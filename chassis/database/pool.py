"""Connection pool, one for each process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from chassis.database.connection import SOCKET_OPTIONS, TimeLimitedConnection
from chassis.database.pool_metrics import POOL_COLLECTOR
from chassis.database.tracing import TracedConnection
from chassis.tracing.spans import is_enabled

Connection = AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]

MAX_WAIT_SECONDS = 5.0
"""Maximum wait for a free connection. A longer wait only lengthens the queue: callers' deadlines are near."""


@asynccontextmanager
async def open_pool(url: str, *, name: str, size: int) -> AsyncIterator[Pool]:
    """Yield a pool of up to `size` connections in autocommit mode; a unit of work sends BEGIN itself.

    The pool opens without waiting for the database. Until the database responds, users of the pool get Unavailable.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        connection_class=TracedConnection if is_enabled() else TimeLimitedConnection,
        min_size=1,
        max_size=size,
        timeout=MAX_WAIT_SECONDS,
        max_lifetime=1800,
        reconnect_timeout=30,
        kwargs={"autocommit": True, "application_name": name, **SOCKET_OPTIONS},
        open=False,
    )
    await pool.open(wait=False)
    try:
        with POOL_COLLECTOR.watch(name, pool):
            yield pool
    finally:
        await pool.close()
