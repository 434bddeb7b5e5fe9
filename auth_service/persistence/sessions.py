"""Logins, in auth.sessions."""

from sqlalchemy import insert

from auth_service.domain.errors import AccountGone
from auth_service.domain.sessions import Session
from auth_service.persistence.tables import sessions
from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import constraints

_ADD = Statement(insert(sessions))


class SqlSessions:
    """Sessions on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, session: Session) -> None:
        with constraints({"sessions_user_exists": AccountGone}):
            await self._connection.execute(
                _ADD.sql,
                {
                    "id": session.id,
                    "user_id": session.user_id,
                    "created_at": session.created_at,
                    "expires_at": session.expires_at,
                },
            )
