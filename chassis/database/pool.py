"""Connection pool, one for each process, that fails fast while the database is down."""

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool, PoolTimeout

from chassis.database.connection import Connection, TimeLimitedConnection, connection_options
from chassis.database.pool_metrics import POOL_COLLECTOR
from chassis.database.tracing import TracedConnection
from chassis.tracing.spans import is_enabled

Pool = AsyncConnectionPool[Connection]

MAX_WAIT_SECONDS = 5.0
"""Maximum wait for a free connection. A longer wait only lengthens the queue: callers' deadlines are near."""

RECONNECT_SECONDS = 0.5
"""Pause between two attempts to reach a database that is down. The pool's own pauses grow to 14 seconds."""


class DatabaseDown(PoolTimeout):
    """The pool has no connection, and the last attempt to open one failed."""


class FailFastPool(Pool):
    """Pool whose callers get DatabaseDown at once while the database is down, instead of waiting for a connection."""

    def __init__(self, url: str, *, name: str, size: int, prepared_statements: bool) -> None:
        self._down = asyncio.Event()
        self._waits: set[asyncio.Timeout] = set()
        super().__init__(
            url,
            connection_class=TracedConnection if is_enabled() else TimeLimitedConnection,
            min_size=1,
            max_size=size,
            timeout=MAX_WAIT_SECONDS,
            max_lifetime=1800,
            reconnect_timeout=0,  # `reconnect` tries again, not the pool
            reconnect_failed=self._record_failure,
            configure=self._record_connection,
            kwargs=connection_options(name, prepared_statements=prepared_statements),
            open=False,
        )

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 - the signature is the driver's
        """Wait for a free connection that the server has not ended, and take it.

        Raises PoolTimeout, PoolClosed, DatabaseDown.
        """
        self._raise_if_down()
        # The pool's own timeout can't be shortened when the database goes down during the wait.
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS if timeout is None else timeout) as wait:
                self._waits.add(wait)
                try:
                    return await self._get_open_connection(timeout)
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            self._raise_if_down()
            raise PoolTimeout from None

    async def _get_open_connection(self, timeout: float | None) -> Connection:  # noqa: ASYNC109 - the driver's
        while _is_dropped(connection := await super().getconn(timeout)):
            await connection.close()
            await self.putconn(connection)  # the pool opens another one instead
        return connection

    def _raise_if_down(self) -> None:
        if self._down.is_set():
            raise DatabaseDown

    async def reconnect(self) -> None:
        """Try to connect again and again while the database is down, until cancelled."""
        while True:
            await self._down.wait()
            await asyncio.sleep(RECONNECT_SECONDS)
            await self.check()

    async def _record_connection(self, _: Connection) -> None:
        self._down.clear()

    def _record_failure(self, _: Pool) -> None:
        if self.get_stats()["pool_size"]:
            return  # other connections may work: the server may only have too many of them
        self._down.set()
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now)


def _is_dropped(connection: Connection) -> bool:
    """Return whether the server has ended the idle connection, for example because it was restarted.

    The server sends nothing to an idle connection but the news of its end. Without a look at the socket, the next
    statement fails, and with it a call. A look takes 1 us, a statement that returns nothing 75 us.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


@asynccontextmanager
async def open_pool(url: str, *, name: str, size: int, prepared_statements: bool = True) -> AsyncIterator[Pool]:
    """Yield a pool of up to `size` connections in autocommit mode; a unit of work sends BEGIN itself.

    The pool opens without waiting for the database. Until the database responds, users of the pool get Unavailable.
    `name` is the application name, if the URL has none.
    """
    pool = FailFastPool(url, name=name, size=size, prepared_statements=prepared_statements)
    await pool.open(wait=False)
    reconnecting = asyncio.create_task(pool.reconnect())
    try:
        with POOL_COLLECTOR.watch(name, pool):
            yield pool
    finally:
        reconnecting.cancel()
        await pool.close()
