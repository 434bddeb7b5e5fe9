"""Security events, in security_events."""

from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, func, insert, select

from auth_service.domain.security_events import SecurityEvent
from auth_service.persistence.page_query import PageQuery
from auth_service.persistence.tables import security_events
from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.kernel.pagination import Page, PageRequest

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
# This service's database role must not delete events. The function runs as the table's owner and deletes old ones only.
_DELETE_EXPIRED = Statement(select(func.delete_expired_security_events(bindparam("before"), bindparam("max_events"))))
_LIST = PageQuery(select(*_COLUMNS), security_events.c.id)
_LIST_OF_SUBJECT = PageQuery(
    select(*_COLUMNS).where(security_events.c.subject_id == bindparam("subject")), security_events.c.id
)


class SqlSecurityEvents:
    """Security events on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, event: SecurityEvent) -> None:
        await _ADD.execute(
            self._connection,
            id=event.id,
            occurred_at=event.occurred_at,
            kind=str(event.kind),
            actor_id=event.actor_id,
            subject_id=event.subject_id,
            request_id=event.request_id,
            details=Jsonb(dict(event.details)),
        )

    async def list_page(self, subject_id: UUID | None, request: PageRequest) -> Page[SecurityEvent]:
        query = _LIST if subject_id is None else _LIST_OF_SUBJECT
        return await query.fetch(self._connection, request, lambda row: SecurityEvent(*row), subject=subject_id)

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        row = await _DELETE_EXPIRED.fetch_one(self._connection, before=before, max_events=limit)
        return int(row[0]) if row else 0
