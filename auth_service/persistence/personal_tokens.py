"""Personal access tokens, in personal_tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from auth_service.domain.personal_tokens import PersonalToken, PersonalTokenSecret, TokenScope
from auth_service.persistence.page_query import PageQuery
from auth_service.persistence.tables import personal_tokens
from chassis.database.connection import Connection
from chassis.database.statement import Statement, delete_batch
from chassis.kernel.pagination import Page, PageRequest

_COLUMNS = (
    personal_tokens.c.id,
    personal_tokens.c.user_id,
    personal_tokens.c.name,
    personal_tokens.c.scopes,
    personal_tokens.c.created_at,
    personal_tokens.c.expires_at,
    personal_tokens.c.last_used_at,
    personal_tokens.c.ended_at,
)
_OF_USER = personal_tokens.c.user_id == bindparam("owner_id")
_ACTIVE = (_OF_USER, personal_tokens.c.ended_at.is_(None), personal_tokens.c.expires_at > bindparam("now"))

_ADD = Statement(insert(personal_tokens))
_LOCK = Statement(select(*_COLUMNS).where(personal_tokens.c.id == bindparam("token_id")).with_for_update())
_LOCK_BY_DIGEST = Statement(
    select(*_COLUMNS).where(personal_tokens.c.digest == bindparam("token_digest")).with_for_update()
)
_COUNT_ACTIVE = Statement(select(func.count()).select_from(personal_tokens).where(*_ACTIVE))
_UPDATE_LAST_USED_AT = Statement(
    update(personal_tokens).values(last_used_at=bindparam("now")).where(personal_tokens.c.id == bindparam("token_id")),
    columns=["last_used_at"],
)
_END = Statement(
    update(personal_tokens).values(ended_at=bindparam("now")).where(personal_tokens.c.id == bindparam("token_id")),
    columns=["ended_at"],
)
_END_ALL = Statement(
    update(personal_tokens).values(ended_at=bindparam("now")).where(*_ACTIVE).returning(personal_tokens.c.id),
    columns=["ended_at"],
)
_DELETE_ALL = Statement(delete(personal_tokens).where(_OF_USER))
_DELETE_EXPIRED = delete_batch(
    personal_tokens,
    or_(personal_tokens.c.expires_at < bindparam("before"), personal_tokens.c.ended_at < bindparam("before")),
)
_LIST_ACTIVE = PageQuery(select(*_COLUMNS).where(*_ACTIVE), personal_tokens.c.id)


class SqlPersonalTokens:
    """Personal access tokens on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, token: PersonalToken, secret: PersonalTokenSecret) -> None:
        await _ADD.execute(
            self._connection,
            id=token.id,
            user_id=token.user_id,
            name=token.name,
            scopes=sorted(token.scopes),
            digest=secret.digest,
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
            ended_at=token.ended_at,
        )

    async def lock(self, token_id: UUID) -> PersonalToken | None:
        row = await _LOCK.fetch_one(self._connection, token_id=token_id)
        return _token(row) if row else None

    async def lock_by_secret(self, secret: PersonalTokenSecret) -> PersonalToken | None:
        row = await _LOCK_BY_DIGEST.fetch_one(self._connection, token_digest=secret.digest)
        return _token(row) if row else None

    async def count_active(self, user_id: UUID, *, now: datetime) -> int:
        row = await _COUNT_ACTIVE.fetch_one(self._connection, owner_id=user_id, now=now)
        return int(row[0]) if row else 0

    async def list_page(self, user_id: UUID, request: PageRequest, *, now: datetime) -> Page[PersonalToken]:
        return await _LIST_ACTIVE.fetch(self._connection, request, _token, owner_id=user_id, now=now)

    async def update_last_used_at(self, token_id: UUID, *, now: datetime) -> None:
        await _UPDATE_LAST_USED_AT.execute(self._connection, token_id=token_id, now=now)

    async def end(self, token_id: UUID, *, now: datetime) -> None:
        await _END.execute(self._connection, token_id=token_id, now=now)

    async def end_all(self, user_id: UUID, *, now: datetime) -> Sequence[UUID]:
        cursor = await _END_ALL.run(self._connection, owner_id=user_id, now=now)
        return [token_id for (token_id,) in await cursor.fetchall()]

    async def delete_all(self, user_id: UUID) -> None:
        await _DELETE_ALL.execute(self._connection, owner_id=user_id)

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        return await _DELETE_EXPIRED.execute(self._connection, before=before, limit=limit)


def _token(row: Sequence[Any]) -> PersonalToken:
    token_id, user_id, name, scopes, created_at, expires_at, last_used_at, ended_at = row
    # A newer version may have written a scope that this one does not know. It grants nothing here.
    known_scopes = frozenset(scope for scope in TokenScope if scope.value in scopes)
    return PersonalToken(token_id, user_id, name, known_scopes, created_at, expires_at, last_used_at, ended_at)
