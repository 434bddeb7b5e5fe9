"""Connections to Postgres that notice a database or a network that has fallen silent."""

from typing import Any, TypeVar

import structlog
from psycopg import AsyncConnection, AsyncCursor, OperationalError, errors
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

Result = TypeVar("Result")

log = structlog.get_logger("database")

SOCKET_OPTIONS: dict[str, Any] = {
    "connect_timeout": 3,
    # An idle connection to a vanished peer is closed after 30 seconds, one with unacknowledged data after 20.
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Options of libpq for every connection, also those of commands."""

PREPARE_THRESHOLD = 5
"""Number of executions after which the driver prepares a statement, if it may."""

MAX_KEPT_CURSORS = 100
"""As many as the driver's prepared statements. Above it, a connection begins again with none."""

MAX_RESPONSE_SECONDS = 20.0
"""Maximum wait for a response. Longer than the statement timeout of the services' roles, which Postgres enforces."""


def connection_options(name: str, *, prepared_statements: bool) -> dict[str, Any]:
    """Return the options of a connection in autocommit mode. Parameters of its URL take precedence over `name`."""
    return {
        "autocommit": True,
        "fallback_application_name": name,
        "prepare_threshold": PREPARE_THRESHOLD if prepared_statements else None,
        **SOCKET_OPTIONS,
    }


class Connection(AsyncConnection[tuple[Any, ...]]):
    """Connection that keeps the cursor of each statement."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._cursors: dict[str, AsyncCursor[tuple[Any, ...]]] = {}

    def kept_cursor(self, statement: str) -> AsyncCursor[tuple[Any, ...]]:
        """Return the cursor that runs this statement on this connection every time.

        A new cursor would look up the types of parameters and columns again. Read the result before anything else can
        run the statement, because its next run replaces the result. The cursor keeps its last values and rows in
        memory, so they must be few and small.
        """
        cursor = self._cursors.get(statement)
        if cursor is None:
            if len(self._cursors) >= MAX_KEPT_CURSORS:
                self._cursors.clear()
            cursor = self._cursors[statement] = self.cursor()
        return cursor


class TimeLimitedConnection(Connection):
    """Connection that closes itself when a statement gets no response in time, and raises OperationalError.

    Keepalives notice a peer that is gone. They do not notice one that acknowledges bytes and never responds, such as a
    proxy that has lost its database.
    """

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is the driver's
    ) -> Result:
        if timeout is not None:  # the caller expects that nothing may arrive
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, MAX_RESPONSE_SECONDS)
        except (errors.DuplicatePreparedStatement, errors.InvalidSqlStatementName):
            log.error(  # noqa: TRY400 - the traceback is logged where the error is handled
                "a connection pooler mixes up prepared statements: set …_DATABASE_PREPARED_STATEMENTS=false"
            )
            raise
        except OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise
