"""Reset codes, in password_resets."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from auth_service.domain.accounts import User
from auth_service.domain.one_time_secrets import ResetCode
from auth_service.persistence.tables import password_resets, users
from chassis.database.connection import Connection
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
        await _PUT.execute(
            self._connection,
            user_id=user_id,
            digest=code.digest,
            expires_at=expires_at,
            issuer_id=issuer.id,
            issuer_epoch=issuer.epoch,
        )

    async def find_user_id(self, code: ResetCode, *, now: datetime) -> UUID | None:
        row = await _FIND_USER_ID.fetch_one(self._connection, code_digest=code.digest, now=now)
        return row[0] if row else None

    async def spend(self, code: ResetCode, *, now: datetime) -> bool:
        return await _SPEND.fetch_one(self._connection, code_digest=code.digest, now=now) is not None

    async def delete(self, user_id: UUID) -> None:
        await _DELETE.execute(self._connection, owner_id=user_id)

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        return await _DELETE_EXPIRED.execute(self._connection, before=before, limit=limit)
