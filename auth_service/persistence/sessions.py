"""Sessions and their refresh tokens, in sessions and refresh_tokens."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, insert, or_, select, update

from auth_service.domain.errors import AccountGone
from auth_service.domain.one_time_secrets import RefreshToken
from auth_service.domain.sessions import Session
from auth_service.persistence.page_query import PageQuery
from auth_service.persistence.tables import refresh_tokens, sessions
from chassis.database.connection import Connection
from chassis.database.statement import Statement, delete_batch
from chassis.database.unit_of_work import translate_constraint_violations
from chassis.kernel.pagination import Page, PageRequest

_COLUMNS = (
    sessions.c.id,
    sessions.c.user_id,
    sessions.c.created_at,
    sessions.c.expires_at,
    sessions.c.used_at,
    sessions.c.ended_at,
)

_ADD = Statement(insert(sessions))
_LOCK = Statement(select(*_COLUMNS).where(sessions.c.id == bindparam("session_id")).with_for_update())
_UPDATE_USED_AT = Statement(
    update(sessions).values(used_at=bindparam("now")).where(sessions.c.id == bindparam("session_id")),
    columns=["used_at"],
)
_END = Statement(
    update(sessions)
    .values(ended_at=bindparam("now"))
    .where(sessions.c.id == bindparam("session_id"), sessions.c.ended_at.is_(None)),
    columns=["ended_at"],
)
_END_ALL = Statement(
    update(sessions)
    .values(ended_at=bindparam("now"))
    .where(
        sessions.c.user_id == bindparam("owner_id"),
        sessions.c.ended_at.is_(None),
        sessions.c.id.is_distinct_from(bindparam("excluded_id", type_=sessions.c.id.type)),
    )
    .returning(*_COLUMNS),
    columns=["ended_at"],
)
_DELETE_EXPIRED = delete_batch(
    sessions, or_(sessions.c.expires_at < bindparam("before"), sessions.c.ended_at < bindparam("before"))
)

_ADD_REFRESH_TOKEN = Statement(insert(refresh_tokens), columns=["digest", "session_id", "expires_at"])
_FIND_SESSION_ID = Statement(
    select(refresh_tokens.c.session_id).where(refresh_tokens.c.digest == bindparam("token_digest"))
)
_SPEND_TOKEN = Statement(
    update(refresh_tokens)
    .values(spent_at=bindparam("now"))
    .where(refresh_tokens.c.digest == bindparam("token_digest"), refresh_tokens.c.spent_at.is_(None))
    .returning(refresh_tokens.c.expires_at),
    columns=["spent_at"],
)
_SPEND_ALL_TOKENS = Statement(
    update(refresh_tokens)
    .values(spent_at=bindparam("now"))
    .where(refresh_tokens.c.session_id == bindparam("of_session"), refresh_tokens.c.spent_at.is_(None)),
    columns=["spent_at"],
)
_LIST_ACTIVE = PageQuery(
    select(*_COLUMNS).where(
        sessions.c.user_id == bindparam("owner_id"),
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > bindparam("now"),
    ),
    sessions.c.id,
)


class SqlSessions:
    """Sessions on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, session: Session) -> None:
        with translate_constraint_violations({"sessions_user_exists": AccountGone}):
            await _ADD.execute(
                self._connection,
                id=session.id,
                user_id=session.user_id,
                created_at=session.created_at,
                expires_at=session.expires_at,
                used_at=session.used_at,
                ended_at=session.ended_at,
            )

    async def lock(self, session_id: UUID) -> Session | None:
        row = await _LOCK.fetch_one(self._connection, session_id=session_id)
        return Session(*row) if row else None

    async def list_page(self, user_id: UUID, request: PageRequest, *, now: datetime) -> Page[Session]:
        return await _LIST_ACTIVE.fetch(self._connection, request, lambda row: Session(*row), owner_id=user_id, now=now)

    async def update_used_at(self, session_id: UUID, *, now: datetime) -> None:
        await _UPDATE_USED_AT.execute(self._connection, session_id=session_id, now=now)

    async def end(self, session_id: UUID, *, now: datetime) -> None:
        await _END.execute(self._connection, session_id=session_id, now=now)

    async def end_all(self, user_id: UUID, *, excluding: UUID | None = None, now: datetime) -> Sequence[Session]:
        cursor = await _END_ALL.run(self._connection, owner_id=user_id, excluded_id=excluding, now=now)
        return [Session(*row) for row in await cursor.fetchall()]

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        return await _DELETE_EXPIRED.execute(self._connection, before=before, limit=limit)

    async def add_refresh_token(self, token: RefreshToken, session_id: UUID, *, expires_at: datetime) -> None:
        await _ADD_REFRESH_TOKEN.execute(
            self._connection, digest=token.digest, session_id=session_id, expires_at=expires_at
        )

    async def find_session_id(self, token: RefreshToken) -> UUID | None:
        row = await _FIND_SESSION_ID.fetch_one(self._connection, token_digest=token.digest)
        return row[0] if row else None

    async def spend_refresh_token(self, token: RefreshToken, *, now: datetime) -> datetime | None:
        row = await _SPEND_TOKEN.fetch_one(self._connection, token_digest=token.digest, now=now)
        return row[0] if row else None

    async def spend_refresh_tokens(self, session_id: UUID, *, now: datetime) -> None:
        await _SPEND_ALL_TOKENS.execute(self._connection, of_session=session_id, now=now)
