"""Accounts of people, in auth.users."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, exists, insert, select, update

from auth_service.domain.accounts import StoredLogin, User, account_key
from auth_service.domain.errors import EmailTaken, UsernameTaken
from auth_service.persistence.tables import users
from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import constraints
from chassis.kernel import Role

_USER = (users.c.id, users.c.username, users.c.email, users.c.role, users.c.created_at, users.c.disabled, users.c.epoch)

_ADD = Statement(insert(users))
_GET = Statement(select(*_USER).where(users.c.id == bindparam("id")))
_NAMED = Statement(select(*_USER).where(users.c.username_key == bindparam("username_key")))
_LOGIN_OF = Statement(select(*_USER, users.c.password_hash).where(users.c.email_key == bindparam("email_key")))
_LOGIN = select(*_USER, users.c.password_hash).where(users.c.id == bindparam("id"))
_LOGIN_BY_ID, _LOCK = Statement(_LOGIN), Statement(_LOGIN.with_for_update())
_CHANGE_PASSWORD = Statement(
    update(users)
    .values(password_hash=bindparam("new"), epoch=bindparam("new_epoch"))
    .where(users.c.id == bindparam("user_id")),
    columns=["password_hash", "epoch"],
)
_HAS_ROLE = Statement(select(exists().where(users.c.role == bindparam("role"))))
_REPLACE_HASH = Statement(
    update(users)
    .values(password_hash=bindparam("new"))
    .where(users.c.id == bindparam("user_id"), users.c.password_hash == bindparam("old"))
)


class SqlUsers:
    """Accounts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, user: User, *, password_hash: str) -> None:
        """Inserts. The unique constraints decide between two at once."""
        with constraints({"users_username_key_unique": UsernameTaken, "users_email_key_unique": EmailTaken}):
            await self._connection.execute(
                _ADD.sql,
                {
                    "id": user.id,
                    "username": user.username,
                    "username_key": account_key(user.username),
                    "email": user.email,
                    "email_key": account_key(user.email),
                    "password_hash": password_hash,
                    "role": user.role.value,
                    "disabled": user.disabled,
                    "epoch": user.epoch,
                    "created_at": user.created_at,
                },
            )

    async def get(self, user_id: UUID) -> User | None:
        cursor = await self._connection.execute(_GET.sql, {"id": user_id})
        row = await cursor.fetchone()
        return _user(row) if row else None

    async def named(self, username: str) -> User | None:
        cursor = await self._connection.execute(_NAMED.sql, {"username_key": account_key(username)})
        row = await cursor.fetchone()
        return _user(row) if row else None

    async def login_of(self, email: str) -> StoredLogin | None:
        return await self._login(_LOGIN_OF, email_key=account_key(email))

    async def login(self, user_id: UUID) -> StoredLogin | None:
        return await self._login(_LOGIN_BY_ID, id=user_id)

    async def lock(self, user_id: UUID) -> StoredLogin | None:
        return await self._login(_LOCK, id=user_id)

    async def change_password(self, user: User, *, password_hash: str) -> None:
        await _CHANGE_PASSWORD.run(self._connection, user_id=user.id, new=password_hash, new_epoch=user.epoch)

    async def has_role(self, role: Role) -> bool:
        cursor = await self._connection.execute(_HAS_ROLE.sql, {"role": role.value})
        row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def replace_password_hash(self, user_id: UUID, *, old: str, new: str) -> None:
        await self._connection.execute(_REPLACE_HASH.sql, {"user_id": user_id, "old": old, "new": new})

    async def _login(self, statement: Statement, **values: Any) -> StoredLogin | None:
        cursor = await statement.run(self._connection, **values)
        row = await cursor.fetchone()
        return StoredLogin(_user(row), password_hash=row[len(_USER)]) if row else None


def _user(row: Sequence[Any]) -> User:
    user_id, username, email, role, created_at, disabled, epoch = row[: len(_USER)]
    return User(user_id, username, email, Role(role), created_at, disabled, epoch)
