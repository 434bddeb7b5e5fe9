"""Attempts at passwords, in auth.login_attempts, counted by GCRA: one row and one moment for each key.

Each statement counts and decides under the row's own lock and by the database's clock, so that a hundred attempts at
once, at however many processes, get as far as a hundred in a row.
"""

from datetime import datetime, timedelta

from sqlalchemy import Interval, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from auth_service.domain.throttling import Allowance
from auth_service.persistence.tables import login_attempts
from chassis.database.pool import Connection
from chassis.database.statement import Statement

_NOW = func.clock_timestamp()
_EVERY = bindparam("every", type_=Interval)
_AT_ONCE = bindparam("at_once", type_=Interval)
_PAID = func.greatest(login_attempts.c.paid_at, _NOW) + _EVERY

_TAKE = Statement(
    insert(login_attempts)
    .values(key=bindparam("counted"), paid_at=_NOW + _EVERY)
    .on_conflict_do_update(index_elements=["key"], set_={"paid_at": _PAID}, where=_PAID <= _NOW + _AT_ONCE)
    .returning(login_attempts.c.key)
)
_WAIT = Statement(
    select(func.extract("epoch", login_attempts.c.paid_at + _EVERY - _AT_ONCE - _NOW)).where(
        login_attempts.c.key == bindparam("counted")
    )
)
_GIVE_BACK = Statement(
    update(login_attempts)
    .values(paid_at=login_attempts.c.paid_at - _EVERY)
    .where(login_attempts.c.key == bindparam("counted"))
)
_NOTE = Statement(
    update(login_attempts)
    .values(noted_at=_NOW)
    .where(
        login_attempts.c.key == bindparam("counted"),
        or_(login_attempts.c.noted_at.is_(None), login_attempts.c.noted_at < _NOW - _EVERY),
    )
    .returning(login_attempts.c.key)
)
_CLEAR = Statement(delete(login_attempts).where(login_attempts.c.key == bindparam("counted")))
_FORGET = Statement(delete(login_attempts).where(login_attempts.c.paid_at < bindparam("before")))


class SqlLoginAttempts:
    """Attempts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def take(self, key: bytes, allowance: Allowance) -> timedelta | None:
        limits = {"counted": key, "every": allowance.every, "at_once": allowance.every * allowance.burst}
        cursor = await _TAKE.run(self._connection, **limits)
        if await cursor.fetchone():
            return None
        cursor = await _WAIT.run(self._connection, **limits)
        row = await cursor.fetchone()
        # Nothing is due any more if the account's owner logged in this very moment.
        return timedelta(seconds=max(float(row[0]), 0.0)) if row else timedelta()

    async def give_back(self, key: bytes, allowance: Allowance) -> None:
        await _GIVE_BACK.run(self._connection, counted=key, every=allowance.every)

    async def note(self, key: bytes, *, every: timedelta) -> bool:
        cursor = await _NOTE.run(self._connection, counted=key, every=every)
        return await cursor.fetchone() is not None

    async def clear(self, key: bytes) -> None:
        await _CLEAR.run(self._connection, counted=key)

    async def forget(self, *, before: datetime) -> int:
        cursor = await _FORGET.run(self._connection, before=before)
        return cursor.rowcount
