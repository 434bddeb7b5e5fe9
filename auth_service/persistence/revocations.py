"""Revocations of access tokens, in auth.revocations. Cursors follow the order of commits, so no reader misses one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, bindparam, cast, func, insert, select

from auth_service.domain.trust import EpochRaised, Revocation, SessionRevoked, TrustCursor
from auth_service.persistence.tables import TransactionId, revocations
from chassis.database.pool import Connection
from chassis.database.statement import Statement, delete_batch

# The oldest transaction that is still in progress. Every transaction with a lower id has ended, and its rows are
# visible if it committed.
_HORIZON = Statement(select(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text)))

# The query also returns rows above the horizon: otherwise one long transaction anywhere in the cluster would delay
# every revocation. Such a row is returned at once, and again until the horizon has passed it.
_LIST_SINCE = Statement(
    select(revocations.c.session_id, revocations.c.user_id, revocations.c.least_epoch, revocations.c.expires_at)
    .where(
        revocations.c.transaction >= cast(bindparam("cursor"), TransactionId),
        revocations.c.expires_at > bindparam("now"),
    )
    .order_by(revocations.c.id)
)
_ADD = Statement(insert(revocations), columns=["session_id", "user_id", "least_epoch", "expires_at"])
_DELETE_EXPIRED = delete_batch(revocations, revocations.c.expires_at < bindparam("before"))


class SqlRevocations:
    """Revocations on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def horizon(self) -> TrustCursor:
        cursor = await self._connection.execute(_HORIZON.sql)
        row = await cursor.fetchone()
        return TrustCursor(int(row[0]) if row else 0)

    async def add(self, revocation: Revocation) -> None:
        await _ADD.run(self._connection, **_values(revocation))

    async def add_all(self, revocations: Iterable[Revocation]) -> None:
        await _ADD.run_all(self._connection, map(_values, revocations))

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        cursor = await _DELETE_EXPIRED.run(self._connection, before=before, limit=limit)
        return cursor.rowcount

    async def list_since(self, cursor: TrustCursor, *, now: datetime) -> Sequence[Revocation]:
        rows = await self._connection.execute(_LIST_SINCE.sql, {"cursor": str(cursor), "now": now})
        return [_revocation(*row) for row in await rows.fetchall()]


def _values(revocation: Revocation) -> dict[str, object]:
    values = {"session_id": None, "user_id": None, "least_epoch": None, "expires_at": revocation.expires_at}
    match revocation:
        case SessionRevoked(session_id=session_id):
            return values | {"session_id": session_id}
        case EpochRaised(user_id=user_id, least_epoch=least_epoch):
            return values | {"user_id": user_id, "least_epoch": least_epoch}


def _revocation(
    session_id: UUID | None, user_id: UUID | None, least_epoch: int | None, expires_at: datetime
) -> Revocation:
    if session_id is not None:
        return SessionRevoked(session_id, expires_at)
    if user_id is None or least_epoch is None:
        message = "a revocation needs a session or a user; the constraint revocations_one_subject was not enforced"
        raise ValueError(message)
    return EpochRaised(user_id, least_epoch, expires_at)
