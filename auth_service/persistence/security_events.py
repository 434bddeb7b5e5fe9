"""The log of security events, in auth.security_events."""

from datetime import datetime
from functools import cache
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, func, insert, select

from auth_service.domain.events import SecurityEvent
from auth_service.persistence.tables import security_events
from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest

_COLUMNS = (
    security_events.c.id,
    security_events.c.occurred_at,
    security_events.c.kind,
    security_events.c.actor_id,
    security_events.c.subject_id,
    security_events.c.request_id,
    security_events.c.details,
)

_ADD = Statement(insert(security_events))
# The table's owner deletes, and nothing recent: this service's own role may not.
_FORGET = Statement(select(func.auth.forget_security_events(bindparam("before"), bindparam("most"))))


@cache
def _page(*, of_one: bool, behind: bool) -> Statement:
    rows = select(*_COLUMNS).order_by(security_events.c.id.desc()).limit(bindparam("most"))
    if of_one:
        rows = rows.where(security_events.c.subject_id == bindparam("subject"))
    if behind:
        rows = rows.where(security_events.c.id < bindparam("behind"))
    return Statement(rows)


class SqlSecurityEvents:
    """The log on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, event: SecurityEvent) -> None:
        await _ADD.run(
            self._connection,
            id=event.id,
            occurred_at=event.occurred_at,
            kind=str(event.kind),
            actor_id=event.actor_id,
            subject_id=event.subject_id,
            request_id=event.request_id,
            details=Jsonb(dict(event.details)),
        )

    async def page(self, subject_id: UUID | None, request: PageRequest) -> Page[SecurityEvent]:
        statement = _page(of_one=subject_id is not None, behind=bool(request.after))
        cursor = await statement.run(
            self._connection, subject=subject_id, behind=request.after_id, most=request.size + 1
        )
        events = [
            SecurityEvent(event_id, occurred_at, kind, actor_id, subject, request_id, details)
            for event_id, occurred_at, kind, actor_id, subject, request_id, details in await cursor.fetchall()
        ]
        return request.page(events, lambda event: event.id.bytes)

    async def forget(self, *, before: datetime, most: int) -> int:
        cursor = await _FORGET.run(self._connection, before=before, most=most)
        row = await cursor.fetchone()
        return int(row[0]) if row else 0
