"""Accounts of people, in auth.users."""

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache
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
from sqlalchemy.sql import ColumnElement

from auth_service.domain.accounts import StoredLogin, User, account_key
from auth_service.domain.errors import EmailTaken, UsernameTaken
from auth_service.persistence.tables import users
from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import translate_constraint_violations
from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest
from task_service.access import Role

_USER = (users.c.id, users.c.username, users.c.email, users.c.role, users.c.created_at, users.c.disabled, users.c.epoch)

_ADD = Statement(insert(users), columns=[column.name for column in users.c if column.name != "deleted_at"])
_IN_BEING = users.c.deleted_at.is_(None)
_GET = Statement(select(*_USER).where(users.c.id == bindparam("id"), _IN_BEING))
_NAMED = Statement(select(*_USER).where(users.c.username_key == bindparam("username_key"), _IN_BEING))
_LOGIN_OF = Statement(select(*_USER, users.c.password_hash).where(users.c.email_key == bindparam("email_key")))
_LOGIN = select(*_USER, users.c.password_hash).where(users.c.id == bindparam("id"), _IN_BEING)
_LOGIN_BY_ID, _LOCK = Statement(_LOGIN), Statement(_LOGIN.with_for_update())
_CHANGE_PASSWORD = Statement(
    update(users)
    .values(password_hash=bindparam("new"), epoch=bindparam("new_epoch"))
    .where(users.c.id == bindparam("user_id")),
    columns=["password_hash", "epoch"],
)
_HAS_ROLE = Statement(
    select(
        exists().where(
            users.c.role == bindparam("role"),
            users.c.disabled.is_(False),
            _IN_BEING,
            users.c.id.is_distinct_from(bindparam("but_id", type_=users.c.id.type)),
        )
    )
)
_CHANGING = ("username", "username_key", "email", "email_key", "role", "disabled", "epoch")
_UPDATE = Statement(
    update(users)
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
    .where(users.c.id == bindparam("user_id")),
    columns=_CHANGING,
)
# Every name is gone; what is left can't log in, can't be found and can do nothing.
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
    columns=[*_CHANGING, "password_hash", "deleted_at"],
)
_LOOK_UP = Statement(
    select(*_USER)
    .where(users.c.username_key.like(bindparam("beginning"), escape="\\"), users.c.disabled.is_(False), _IN_BEING)
    .order_by((users.c.username_key == bindparam("exactly")).desc(), users.c.username_key)
    .limit(bindparam("most"))
)
_NAMES = Statement(
    select(users.c.id, users.c.username).where(users.c.id == any_(bindparam("ids", type_=ARRAY(Uuid()))), _IN_BEING)
)
_IDS = Statement(
    select(users.c.username_key, users.c.id).where(
        users.c.username_key == any_(bindparam("keys", type_=ARRAY(Text()))), users.c.disabled.is_(False), _IN_BEING
    )
)
_REPLACE_HASH = Statement(
    update(users)
    .values(password_hash=bindparam("new"))
    .where(users.c.id == bindparam("user_id"), users.c.password_hash == bindparam("old"))
)


@cache
def _page(*, searched: bool, behind: bool) -> Statement:
    conditions: list[ColumnElement[bool]] = [_IN_BEING]
    if searched:
        found_in = [func.strpos(column, bindparam("text")) > 0 for column in (users.c.username_key, users.c.email_key)]
        conditions.append(or_(*found_in))
    if behind:
        conditions.append(users.c.id < bindparam("behind"))
    return Statement(select(*_USER).where(*conditions).order_by(users.c.id.desc()).limit(bindparam("most")))


class SqlUsers:
    """Accounts on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, user: User, *, password_hash: str) -> None:
        """Inserts. The unique translate_constraint_violations decide between two at once."""
        with _names_are_unique():
            await self._connection.execute(
                _ADD.sql,
                {**_changing(user), "id": user.id, "password_hash": password_hash, "created_at": user.created_at},
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

    async def has_role(self, role: Role, *, but: UUID | None = None) -> bool:
        cursor = await _HAS_ROLE.run(self._connection, role=role.value, but_id=but)
        row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def page(self, text: str, request: PageRequest) -> Page[User]:
        key = account_key(text)
        if text.strip() and not key:
            return Page([])  # nobody can be called that; an empty text would find everybody
        statement = _page(searched=bool(key), behind=bool(request.after))
        values = {"text": key, "behind": request.after_id, "most": request.size + 1}
        cursor = await statement.run(self._connection, **values)
        return request.page([_user(row) for row in await cursor.fetchall()], lambda user: user.id.bytes)

    async def look_up(self, text: str, *, most: int) -> Sequence[User]:
        key = account_key(text)
        if not key:
            return []
        beginning = re.sub(r"([\\%_])", r"\\\1", key) + "%"
        cursor = await _LOOK_UP.run(self._connection, beginning=beginning, exactly=key, most=most)
        return [_user(row) for row in await cursor.fetchall()]

    async def names_of(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        cursor = await _NAMES.run(self._connection, ids=list(user_ids))
        return dict(await cursor.fetchall())

    async def ids_of(self, username_keys: Collection[str]) -> Mapping[str, UUID]:
        cursor = await _IDS.run(self._connection, keys=list(username_keys))
        return dict(await cursor.fetchall())

    async def update(self, user: User) -> None:
        with _names_are_unique():
            values = {f"new_{name}": value for name, value in _changing(user).items()}
            await _UPDATE.run(self._connection, user_id=user.id, **values)

    async def delete(self, user_id: UUID, *, epoch: int, now: datetime) -> None:
        await _DELETE.run(self._connection, user_id=user_id, new_epoch=epoch, now=now)

    async def replace_password_hash(self, user_id: UUID, *, old: str, new: str) -> None:
        await self._connection.execute(_REPLACE_HASH.sql, {"user_id": user_id, "old": old, "new": new})

    async def _login(self, statement: Statement, **values: Any) -> StoredLogin | None:
        cursor = await statement.run(self._connection, **values)
        row = await cursor.fetchone()
        return StoredLogin(_user(row), password_hash=row[len(_USER)]) if row else None


def _changing(user: User) -> dict[str, Any]:
    return {
        "username": user.username,
        "username_key": account_key(user.username),
        "email": user.email,
        "email_key": account_key(user.email),
        "role": user.role.value,
        "disabled": user.disabled,
        "epoch": user.epoch,
    }


def _names_are_unique() -> AbstractContextManager[None]:
    return translate_constraint_violations({"users_username_key_unique": UsernameTaken, "users_email_key_unique": EmailTaken})


def _user(row: Sequence[Any]) -> User:
    user_id, username, email, role, created_at, disabled, epoch = row[: len(_USER)]
    return User(user_id, username, email, Role(role), created_at, disabled, epoch)
