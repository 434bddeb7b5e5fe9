"""Unit of work: one transaction for a use case that writes, or one connection for a use case that reads."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import ClassVar, LiteralString, Self

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from chassis.database.connection import Connection
from chassis.database.fair_pool import Connections
from chassis.kernel.errors import DomainError, Unavailable
from chassis.periodic import current_loop

OUTAGES = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    PoolTimeout,
    PoolClosed,
    # The driver counts the following three as internal errors.
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)
"""Exceptions of the driver when the database can't be reached, is too slow, or accepts no writes at the moment.

OperationalError has the SQLSTATE classes 08, 40, 53 and 57 and the code 55P03, among others.
"""


class SqlReadSession:
    """Connection for reading, without a transaction. Subclasses that have repositories create them in `bind`."""

    def __init__(self, pool: Connections) -> None:
        self._pool = pool
        self._connection: Connection | None = None

    def bind(self, connection: Connection) -> None:
        """Create the repositories on this connection."""

    async def __aenter__(self) -> Self:
        try:  # not translate_outages: a generator costs each call several functions
            self._connection = await self._pool.getconn()
        except OUTAGES as error:
            raise Unavailable from error
        self.bind(self._connection)
        return self

    async def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.putconn(connection)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._release()
        if isinstance(error, OUTAGES):
            raise Unavailable from error

    @property
    def connection(self) -> Connection:
        """The connection. Raises RuntimeError outside `async with`."""
        if self._connection is None:
            message = "used outside `async with`"
            raise RuntimeError(message)
        return self._connection


class SqlUnitOfWork(SqlReadSession):
    """Transaction. Leaving it without `commit` rolls it back, whatever the reason."""

    begin_sql: ClassVar[LiteralString] = "BEGIN"

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        try:
            with translate_outages():
                await self.connection.execute(self.begin_sql)
        except BaseException:
            # __aexit__ does not run when __aenter__ fails. If the caller was cancelled, BEGIN may have taken effect.
            try:
                await self._rollback()
            finally:
                await self._release()
            raise
        return self

    async def commit(self) -> None:
        """Commit the transaction and end the unit of work."""
        await self.flush()
        await self.connection.commit()
        if loop := current_loop.get():
            loop.record_progress()

    async def flush(self) -> None:
        """Write what the repositories have collected for the end of the transaction. A subclass overrides it."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._rollback()
        except BaseException:
            await self._release()
            raise
        await super().__aexit__(kind, error, traceback)

    async def _rollback(self) -> None:
        """Roll back an open transaction. Close the connection if that fails."""
        connection = self.connection
        if connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE:
            return
        try:
            await connection.rollback()
        except psycopg.Error:
            await connection.close()
        except BaseException:
            # Cancelled again: the state of the connection is unknown.
            await connection.close()
            raise


@contextmanager
def translate_outages() -> Iterator[None]:
    """Translate an outage of the database into Unavailable."""
    try:
        yield
    except OUTAGES as error:
        raise Unavailable from error


@contextmanager
def translate_constraint_violations(errors: Mapping[str, Callable[[], DomainError]]) -> Iterator[None]:
    """Translate the violation of a named constraint into its domain error. Other driver errors pass."""
    try:
        yield
    except psycopg.IntegrityError as error:
        domain_error = errors.get(error.diag.constraint_name or "")
        if domain_error is None:
            raise
        raise domain_error() from error
