"""The log of security events, in auth.security_events."""

from psycopg.types.json import Jsonb
from sqlalchemy import insert

from auth_service.domain.events import SecurityEvent
from auth_service.persistence.tables import security_events
from chassis.database.pool import Connection
from chassis.database.statement import Statement

_ADD = Statement(insert(security_events))


class SqlSecurityEvents:
    """The log on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, event: SecurityEvent) -> None:
        await _ADD.run(
            self._connection,
            id=event.id,
            occurred_at=event.occurred_at,
            kind=event.kind.value,
            actor_id=event.actor_id,
            subject_id=event.subject_id,
            request_id=event.request_id,
            details=Jsonb(dict(event.details)),
        )
