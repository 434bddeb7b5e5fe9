"""Reset codes, in password_resets."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from auth_service.domain.accounts import User
from auth_service.domain.one_time_secrets import ResetCode
from auth_service.persistence.tables import password_resets, users
from chassis.database.pool import Connection
from chassis.database.statement import Statement, delete_batch

_INSERT = insert(password_resets)
_PUT = Statement(
    _INSERT.on_conflict_do_update(
        index_elements=["user_id"],
        set_={name: _INSERT.excluded[name] for name in ("digest", "expires_at", "issuer_id", "issuer_epoch")},
    )
)
# A code dies with the rights of its issuer. Deleting it instead would lock codes of several accounts, in any order.
_IS_VALID = (
    password_resets.c.digest == bindparam("code_digest"),
    password_resets.c.expires_at > bindparam("now"),
    exists().where(users.c.id == password_resets.c.issuer_id, users.c.epoch == password_resets.c.issuer_epoch),
)
_FIND_USER_ID = Statement(select(password_resets.c.user_id).where(*_IS_VALID))
_SPEND = Statement(delete(password_resets).where(*_IS_VALID).returning(password_resets.c.user_id))
_DELETE = Statement(delete(password_resets).where(password_resets.c.user_id == bindparam("owner_id")))
_DELETE_EXPIRED = delete_batch(password_resets, password_resets.c.expires_at < bindparam("before"))


class SqlPasswordResets:
    """Reset codes on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, user_id: UUID, code: ResetCode, *, issuer: User, expires_at: datetime) -> None:
        await _PUT.run(
            self._connection,
            user_id=user_id,
            digest=code.digest,
            expires_at=expires_at,
            issuer_id=issuer.id,
            issuer_epoch=issuer.epoch,
        )

    async def find_user_id(self, code: ResetCode, *, now: datetime) -> UUID | None:
        cursor = await _FIND_USER_ID.run(self._connection, code_digest=code.digest, now=now)
        row = await cursor.fetchone()
        return row[0] if row else None

    async def spend(self, code: ResetCode, *, now: datetime) -> bool:
        cursor = await _SPEND.run(self._connection, code_digest=code.digest, now=now)
        return await cursor.fetchone() is not None

    async def delete(self, user_id: UUID) -> None:
        await _DELETE.run(self._connection, owner_id=user_id)

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        cursor = await _DELETE_EXPIRED.run(self._connection, before=before, limit=limit)
        return cursor.rowcount
