"""Read sessions and units of work: every repository on one connection."""

from sqlalchemy import bindparam, func, select

from auth_service.persistence.attempt_counters import SqlAttemptCounters
from auth_service.persistence.password_resets import SqlPasswordResets
from auth_service.persistence.personal_tokens import SqlPersonalTokens
from auth_service.persistence.revocations import SqlRevocations
from auth_service.persistence.security_events import SqlSecurityEvents
from auth_service.persistence.service_accounts import SqlServiceAccounts
from auth_service.persistence.sessions import SqlSessions
from auth_service.persistence.signing_keys import SqlSigningKeys
from auth_service.persistence.users import SqlUsers
from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.database.unit_of_work import SqlReadSession, SqlUnitOfWork

_ADVISORY_LOCK = Statement(select(func.pg_advisory_xact_lock(func.hashtext(bindparam("lock_name")))))


class SqlAuthReadSession(SqlReadSession):
    """Repositories for reading. Each statement is its own transaction."""

    users: SqlUsers
    sessions: SqlSessions
    personal_tokens: SqlPersonalTokens
    service_accounts: SqlServiceAccounts
    signing_keys: SqlSigningKeys
    revocations: SqlRevocations
    security_events: SqlSecurityEvents
    attempt_counters: SqlAttemptCounters
    password_resets: SqlPasswordResets

    def bind(self, connection: Connection) -> None:
        self.users = SqlUsers(connection)
        self.sessions = SqlSessions(connection)
        self.personal_tokens = SqlPersonalTokens(connection)
        self.service_accounts = SqlServiceAccounts(connection)
        self.signing_keys = SqlSigningKeys(connection)
        self.revocations = SqlRevocations(connection)
        self.security_events = SqlSecurityEvents(connection)
        self.attempt_counters = SqlAttemptCounters(connection)
        self.password_resets = SqlPasswordResets(connection)


class SqlAuthUnitOfWork(SqlAuthReadSession, SqlUnitOfWork):
    """Repositories in one transaction."""

    async def serialize(self, lock_name: str) -> None:
        """Take a Postgres advisory lock, which is released when the transaction ends."""
        await _ADVISORY_LOCK.execute(self.connection, lock_name=lock_name)
