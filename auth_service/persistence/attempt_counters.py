"""Counters of attempts, in login_attempts: the generic cell rate algorithm (GCRA).

A row stores the theoretical arrival time of its key: the time at which the counter has refilled. Each statement counts
and decides under the row's lock and by the database's clock. A hundred concurrent attempts at any number of processes
therefore get no further than a hundred in sequence.
"""

from datetime import datetime, timedelta

from sqlalchemy import Interval, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from auth_service.domain.rate_limits import RateLimit
from auth_service.persistence.tables import login_attempts
from chassis.database.connection import Connection
from chassis.database.statement import Statement, delete_batch

_NOW = func.clock_timestamp()
_INTERVAL = bindparam("interval", type_=Interval)
_BURST_DURATION = bindparam("burst_duration", type_=Interval)
_NEXT_ARRIVAL = func.greatest(login_attempts.c.theoretical_arrival_at, _NOW) + _INTERVAL

_COUNT = Statement(
    insert(login_attempts)
    .values(key=bindparam("counter_key"), theoretical_arrival_at=_NOW + _INTERVAL)
    .on_conflict_do_update(
        index_elements=["key"],
        set_={"theoretical_arrival_at": _NEXT_ARRIVAL},
        where=_NEXT_ARRIVAL <= _NOW + _BURST_DURATION,
    )
    .returning(login_attempts.c.key)
)
_WAIT = Statement(
    select(func.extract("epoch", login_attempts.c.theoretical_arrival_at + _INTERVAL - _BURST_DURATION - _NOW)).where(
        login_attempts.c.key == bindparam("counter_key")
    )
)
_REFUND = Statement(
    update(login_attempts)
    .values(theoretical_arrival_at=login_attempts.c.theoretical_arrival_at - _INTERVAL)
    .where(login_attempts.c.key == bindparam("counter_key"))
)
_CLAIM_LOG_ENTRY = Statement(
    update(login_attempts)
    .values(logged_at=_NOW)
    .where(
        login_attempts.c.key == bindparam("counter_key"),
        or_(login_attempts.c.logged_at.is_(None), login_attempts.c.logged_at < _NOW - _INTERVAL),
    )
    .returning(login_attempts.c.key)
)
_CLEAR = Statement(delete(login_attempts).where(login_attempts.c.key == bindparam("counter_key")))
_DELETE_EXPIRED = delete_batch(login_attempts, login_attempts.c.theoretical_arrival_at < bindparam("before"))


class SqlAttemptCounters:
    """Counters of attempts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hit(self, key: bytes, limit: RateLimit) -> float | None:
        values = {
            "counter_key": key,
            "interval": limit.interval,
            "burst_duration": limit.interval * limit.burst,
        }
        cursor = await _COUNT.run(self._connection, **values)
        if await cursor.fetchone():
            return None
        row = await _WAIT.fetch_one(self._connection, **values)
        # The row is missing if the owner of the account logged in between the two statements: nothing to wait for.
        return max(float(row[0]), 0.0) if row else 0.0

    async def refund(self, key: bytes, limit: RateLimit) -> None:
        await _REFUND.execute(self._connection, counter_key=key, interval=limit.interval)

    async def claim_log_entry(self, key: bytes, *, interval: timedelta) -> bool:
        return await _CLAIM_LOG_ENTRY.fetch_one(self._connection, counter_key=key, interval=interval) is not None

    async def clear(self, key: bytes) -> None:
        await _CLEAR.execute(self._connection, counter_key=key)

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        return await _DELETE_EXPIRED.execute(self._connection, before=before, limit=limit)
