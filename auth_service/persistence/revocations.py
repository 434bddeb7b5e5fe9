"""Revocations of access tokens, in revocations. Cursors follow the order of commits, so no reader misses one."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Text, bindparam, cast, delete, func, insert, select, tuple_

from auth_service.domain.trust import EpochRaised, Revocation, RevocationPage, RevocationPosition, SessionRevoked
from auth_service.persistence.tables import TransactionId, revocations
from chassis.database.connection import Connection
from chassis.database.statement import Statement, delete_batch

# The oldest transaction that is still in progress. Every transaction with a lower id has ended, and its rows are
# visible if it committed.
_HORIZON = Statement(select(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text)))

# The query also returns rows above the horizon: otherwise one long transaction anywhere in the cluster would delay
# every revocation. Such a row is returned at once, and again until the horizon has passed it.
_LIST_PAGE = Statement(
    select(
        cast(revocations.c.transaction, Text),
        revocations.c.id,
        revocations.c.session_id,
        revocations.c.user_id,
        revocations.c.min_epoch,
        revocations.c.expires_at,
    )
    .where(
        tuple_(revocations.c.transaction, revocations.c.id)
        > tuple_(cast(bindparam("after_transaction"), TransactionId), bindparam("after_id", type_=BigInteger())),
        revocations.c.expires_at > bindparam("now"),
    )
    .order_by(revocations.c.transaction, revocations.c.id)
    .limit(bindparam("limit"))
)
_ADD = Statement(insert(revocations), columns=["session_id", "user_id", "min_epoch", "expires_at"])

# Without this, one account could fill the table by changing its password again and again. Two kinds of rows stay. Those
# of a transaction with a higher id, which committed while this one waited for the lock: a reader between two pages may
# have passed the position of this transaction, and would find neither row in its read. And expired ones: the cleanup
# deletes them, and would deadlock with this transaction because it takes the locks in another order.
_DELETE_OLDER_EPOCHS = Statement(
    delete(revocations).where(
        revocations.c.user_id == bindparam("user_id"),
        revocations.c.min_epoch <= bindparam("min_epoch"),
        revocations.c.transaction <= func.pg_current_xact_id(),
        revocations.c.expires_at > func.now(),
    )
)
_DELETE_EXPIRED = delete_batch(revocations, revocations.c.expires_at < bindparam("before"))


class SqlRevocations:
    """Revocations on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def horizon(self) -> int:
        row = await _HORIZON.fetch_one(self._connection)
        return int(row[0]) if row else 0

    async def raise_epoch(self, revocation: EpochRaised) -> None:
        user_id, min_epoch = revocation.user_id, revocation.min_epoch
        await _DELETE_OLDER_EPOCHS.execute(self._connection, user_id=user_id, min_epoch=min_epoch)
        values = {"session_id": None, "user_id": user_id, "min_epoch": min_epoch}
        await _ADD.execute(self._connection, **values, expires_at=revocation.expires_at)

    async def add_all(self, revocations: Iterable[SessionRevoked]) -> None:
        no_epoch = {"user_id": None, "min_epoch": None}
        rows = ({"session_id": each.session_id, "expires_at": each.expires_at, **no_epoch} for each in revocations)
        await _ADD.run_all(self._connection, rows)

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        return await _DELETE_EXPIRED.execute(self._connection, before=before, limit=limit)

    async def list_page(self, after: RevocationPosition, *, now: datetime, limit: int) -> RevocationPage:
        cursor = await _LIST_PAGE.run(
            self._connection,
            after_transaction=str(after.transaction_id),
            after_id=after.revocation_id,
            now=now,
            limit=limit + 1,
        )
        rows = await cursor.fetchall()
        last = RevocationPosition(int(rows[limit - 1][0]), rows[limit - 1][1]) if len(rows) > limit else None
        return RevocationPage([_revocation(*row[2:]) for row in rows[:limit]], last)


def _revocation(
    session_id: UUID | None, user_id: UUID | None, min_epoch: int | None, expires_at: datetime
) -> Revocation:
    if session_id is not None:
        return SessionRevoked(session_id, expires_at)
    if user_id is None or min_epoch is None:
        message = "a revocation needs a session or a user; the constraint revocations_one_subject was not enforced"
        raise ValueError(message)
    return EpochRaised(user_id, min_epoch, expires_at)
