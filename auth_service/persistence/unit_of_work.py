"""The repositories of accounts, keys and revocations, together on one connection."""

from sqlalchemy import bindparam, func, select

from auth_service.persistence.login_attempts import SqlLoginAttempts
from auth_service.persistence.password_resets import SqlPasswordResets
from auth_service.persistence.revocations import SqlRevocations
from auth_service.persistence.security_events import SqlSecurityEvents
from auth_service.persistence.service_accounts import SqlServiceAccounts
from auth_service.persistence.sessions import SqlSessions
from auth_service.persistence.signing_keys import SqlSigningKeys
from auth_service.persistence.users import SqlUsers
from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import ReadSession
from chassis.database.unit_of_work import SqlUnitOfWork

_ALONE = Statement(select(func.pg_advisory_xact_lock(func.hashtext(bindparam("purpose")))))


class SqlAuthReading(ReadSession):
    """Reads, each statement by itself."""

    users: SqlUsers
    sessions: SqlSessions
    services: SqlServiceAccounts
    keys: SqlSigningKeys
    revocations: SqlRevocations
    events: SqlSecurityEvents
    attempts: SqlLoginAttempts
    resets: SqlPasswordResets

    def bind(self, connection: Connection) -> None:
        self.users = SqlUsers(connection)
        self.sessions = SqlSessions(connection)
        self.services = SqlServiceAccounts(connection)
        self.keys = SqlSigningKeys(connection)
        self.revocations = SqlRevocations(connection)
        self.events = SqlSecurityEvents(connection)
        self.attempts = SqlLoginAttempts(connection)
        self.resets = SqlPasswordResets(connection)


class SqlAuthUnitOfWork(SqlAuthReading, SqlUnitOfWork):
    """Works in one transaction."""

    async def alone(self, purpose: str) -> None:
        """Takes an advisory lock, which the transaction's end gives back."""
        await self.connection.execute(_ALONE.sql, {"purpose": purpose})
