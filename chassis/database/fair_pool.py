"""Connections of a pool, shared fairly between callers."""

from collections.abc import Callable, Hashable
from typing import Protocol

from prometheus_client import Gauge

from chassis.database.connection import Connection
from chassis.database.pool import MAX_WAIT_SECONDS
from chassis.kernel.fair_limit import FairLimiter
from chassis.limits.load_shed import SHED_CALLS, Overloaded

CONNECTION = "connection"
"""Kind of these refusals in the metric of load shedding."""

CALLERS_WAITING = Gauge("database_callers_waiting", "Calls and groups of calls that wait for their caller's turn")


class Connections(Protocol):
    """Source of connections: a pool, or a part of one."""

    async def getconn(self) -> Connection:
        """Wait for a free connection and take it. Raises PoolTimeout, PoolClosed."""

    async def putconn(self, conn: Connection) -> None:
        """Return a connection."""


class FairPool:
    """Part of a pool for callers: limited in total, so that a rest is free for background work, and for each caller.

    `caller_key` returns the key of the current caller; None means that no limit applies.
    """

    def __init__(
        self, connections: Connections, *, limiter: FairLimiter, caller_key: Callable[[], Hashable | None]
    ) -> None:
        self._connections = connections
        self._limiter = limiter
        self._caller_key = caller_key
        self._keys: dict[Connection, Hashable] = {}

    async def getconn(self) -> Connection:
        """Wait for a turn and a free connection. Raises Overloaded after MAX_WAIT_SECONDS without a turn."""
        key = self._caller_key()
        if key is None:
            return await self._connections.getconn()
        if not self._limiter.try_acquire(key):
            await self._wait_for_turn(key)
        try:
            connection = await self._connections.getconn()
        except BaseException:
            self._limiter.release(key)
            raise
        self._keys[connection] = key
        return connection

    async def _wait_for_turn(self, key: Hashable) -> None:
        try:
            with CALLERS_WAITING.track_inprogress():
                await self._limiter.acquire(key, timeout_seconds=MAX_WAIT_SECONDS)
        except TimeoutError:
            SHED_CALLS.labels(CONNECTION).inc()
            raise Overloaded from None

    async def putconn(self, conn: Connection) -> None:
        """Return a connection and give the turn to the next caller."""
        key = self._keys.pop(conn, None)
        try:
            await self._connections.putconn(conn)
        finally:
            if key is not None:
                self._limiter.release(key)
