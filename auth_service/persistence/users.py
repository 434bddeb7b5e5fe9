"""Accounts of people, in users. A deleted account keeps its row with `deleted_at` set."""

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Text,
    Uuid,
    any_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)

from auth_service.domain.accounts import StoredCredentials, User, lookup_key
from auth_service.domain.errors import EmailTaken, UsernameTaken
from auth_service.domain.roles import Role
from auth_service.persistence.page_query import PageQuery
from auth_service.persistence.tables import users
from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import translate_constraint_violations
from chassis.kernel.pagination import Page, PageRequest

_USER_COLUMNS = (
    users.c.id,
    users.c.username,
    users.c.email,
    users.c.role,
    users.c.created_at,
    users.c.disabled,
    users.c.epoch,
)

_ADD = Statement(insert(users), columns=[column.name for column in users.c if column.name != "deleted_at"])
_NOT_DELETED = users.c.deleted_at.is_(None)
_GET = Statement(select(*_USER_COLUMNS).where(users.c.id == bindparam("id"), _NOT_DELETED))
_GET_BY_USERNAME = Statement(
    select(*_USER_COLUMNS).where(users.c.username_key == bindparam("username_key"), _NOT_DELETED)
)
_GET_CREDENTIALS_BY_EMAIL = Statement(
    select(*_USER_COLUMNS, users.c.password_hash).where(users.c.email_key == bindparam("email_key"))
)
_SELECT_CREDENTIALS = select(*_USER_COLUMNS, users.c.password_hash).where(users.c.id == bindparam("id"), _NOT_DELETED)
_GET_CREDENTIALS, _LOCK = Statement(_SELECT_CREDENTIALS), Statement(_SELECT_CREDENTIALS.with_for_update())
_UPDATE_PASSWORD = Statement(
    update(users)
    .values(password_hash=bindparam("new_hash"), epoch=bindparam("new_epoch"))
    .where(users.c.id == bindparam("user_id")),
    columns=["password_hash", "epoch"],
)
_HAS_ACTIVE = Statement(
    select(
        exists().where(
            users.c.role == bindparam("role"),
            users.c.disabled.is_(False),
            _NOT_DELETED,
            users.c.id.is_distinct_from(bindparam("excluded_id", type_=users.c.id.type)),
        )
    )
)
_MUTABLE_COLUMNS = ("username", "username_key", "email", "email_key", "role", "disabled", "epoch")
_UPDATE = Statement(
    update(users)
    .values({name: bindparam(f"new_{name}") for name in _MUTABLE_COLUMNS})
    .where(users.c.id == bindparam("user_id")),
    columns=_MUTABLE_COLUMNS,
)
# Erases the personal data. The remaining row cannot log in, cannot be found and has no permission.
_DELETE = Statement(
    update(users)
    .values(
        username=literal(""),
        username_key=null(),
        email=literal(""),
        email_key=null(),
        password_hash=literal(""),
        role=literal(Role.USER.value),
        disabled=true(),
        epoch=bindparam("new_epoch"),
        deleted_at=bindparam("now"),
    )
    .where(users.c.id == bindparam("user_id")),
    columns=[*_MUTABLE_COLUMNS, "password_hash", "deleted_at"],
)
_FIND_BY_PREFIX = Statement(
    select(*_USER_COLUMNS)
    .where(
        users.c.username_key.like(bindparam("prefix_pattern"), escape="\\"), users.c.disabled.is_(False), _NOT_DELETED
    )
    .order_by((users.c.username_key == bindparam("exact_key")).desc(), users.c.username_key)
    .limit(bindparam("max_rows"))
)
_GET_USERNAMES = Statement(
    select(users.c.id, users.c.username).where(users.c.id == any_(bindparam("ids", type_=ARRAY(Uuid()))), _NOT_DELETED)
)
_GET_IDS, _GET_IDS_BY_EMAIL = (
    Statement(
        select(key, users.c.id).where(
            key == any_(bindparam("keys", type_=ARRAY(Text()))), users.c.disabled.is_(False), _NOT_DELETED
        )
    )
    for key in (users.c.username_key, users.c.email_key)
)
_REHASH_PASSWORD = Statement(
    update(users)
    .values(password_hash=bindparam("new_hash"))
    .where(users.c.id == bindparam("user_id"), users.c.password_hash == bindparam("old_hash"))
)
_LIST = PageQuery(select(*_USER_COLUMNS).where(_NOT_DELETED), users.c.id)
_LIST_MATCHING = PageQuery(
    select(*_USER_COLUMNS).where(
        _NOT_DELETED,
        or_(*(func.strpos(column, bindparam("text")) > 0 for column in (users.c.username_key, users.c.email_key))),
    ),
    users.c.id,
)


class SqlUsers:
    """Accounts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, user: User, *, password_hash: str) -> None:
        """Insert an account. Unique constraints decide between concurrent inserts."""
        with _translate_name_conflicts():
            await _ADD.execute(
                self._connection,
                id=user.id,
                password_hash=password_hash,
                created_at=user.created_at,
                **_mutable_values(user),
            )

    async def get(self, user_id: UUID) -> User | None:
        row = await _GET.fetch_one(self._connection, id=user_id)
        return _user(row) if row else None

    async def get_by_username(self, username: str) -> User | None:
        row = await _GET_BY_USERNAME.fetch_one(self._connection, username_key=lookup_key(username))
        return _user(row) if row else None

    async def get_credentials_by_email(self, email: str) -> StoredCredentials | None:
        return await self._fetch_credentials(_GET_CREDENTIALS_BY_EMAIL, email_key=lookup_key(email))

    async def get_credentials(self, user_id: UUID) -> StoredCredentials | None:
        return await self._fetch_credentials(_GET_CREDENTIALS, id=user_id)

    async def lock(self, user_id: UUID) -> StoredCredentials | None:
        return await self._fetch_credentials(_LOCK, id=user_id)

    async def update_password(self, user: User, *, password_hash: str) -> None:
        await _UPDATE_PASSWORD.execute(self._connection, user_id=user.id, new_hash=password_hash, new_epoch=user.epoch)

    async def has_active(self, role: Role, *, excluding: UUID | None = None) -> bool:
        row = await _HAS_ACTIVE.fetch_one(self._connection, role=role.value, excluded_id=excluding)
        return row is not None and bool(row[0])

    async def list_page(self, text: str, request: PageRequest) -> Page[User]:
        key = lookup_key(text)
        if text.strip() and not key:
            return Page([])  # no account can match; an empty key would match every account
        query = _LIST_MATCHING if key else _LIST
        return await query.fetch(self._connection, request, _user, text=key)

    async def find_by_prefix(self, text: str, *, limit: int) -> Sequence[User]:
        key = lookup_key(text)
        if not key:
            return []
        prefix_pattern = re.sub(r"([\\%_])", r"\\\1", key) + "%"
        cursor = await _FIND_BY_PREFIX.run(
            self._connection, prefix_pattern=prefix_pattern, exact_key=key, max_rows=limit
        )
        return [_user(row) for row in await cursor.fetchall()]

    async def get_usernames(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        cursor = await _GET_USERNAMES.run(self._connection, ids=list(user_ids))
        return dict(await cursor.fetchall())

    async def get_ids(self, username_keys: Collection[str]) -> Mapping[str, UUID]:
        cursor = await _GET_IDS.run(self._connection, keys=list(username_keys))
        return dict(await cursor.fetchall())

    async def get_ids_by_email(self, email_keys: Collection[str]) -> Mapping[str, UUID]:
        cursor = await _GET_IDS_BY_EMAIL.run(self._connection, keys=list(email_keys))
        return dict(await cursor.fetchall())

    async def update(self, user: User) -> None:
        with _translate_name_conflicts():
            values = {f"new_{name}": value for name, value in _mutable_values(user).items()}
            await _UPDATE.execute(self._connection, user_id=user.id, **values)

    async def delete(self, user_id: UUID, *, epoch: int, now: datetime) -> None:
        await _DELETE.execute(self._connection, user_id=user_id, new_epoch=epoch, now=now)

    async def rehash_password(self, user_id: UUID, *, old_hash: str, new_hash: str) -> None:
        await _REHASH_PASSWORD.execute(self._connection, user_id=user_id, old_hash=old_hash, new_hash=new_hash)

    async def _fetch_credentials(self, statement: Statement, **values: Any) -> StoredCredentials | None:
        row = await statement.fetch_one(self._connection, **values)
        return StoredCredentials(_user(row), password_hash=row[len(_USER_COLUMNS)]) if row else None


def _mutable_values(user: User) -> dict[str, Any]:
    return {
        "username": user.username,
        "username_key": lookup_key(user.username),
        "email": user.email,
        "email_key": lookup_key(user.email),
        "role": user.role.value,
        "disabled": user.disabled,
        "epoch": user.epoch,
    }


def _translate_name_conflicts() -> AbstractContextManager[None]:
    return translate_constraint_violations(
        {"users_username_key_unique": UsernameTaken, "users_email_key_unique": EmailTaken}
    )


def _user(row: Sequence[Any]) -> User:
    user_id, username, email, role, created_at, disabled, epoch = row[: len(_USER_COLUMNS)]
    return User(user_id, username, email, Role(role), created_at, disabled, epoch)
