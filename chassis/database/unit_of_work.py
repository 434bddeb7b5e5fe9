"""What happens together: one transaction around a use case's work, or one connection around its reading."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from chassis.database.pool import Connection, Pool
from chassis.kernel.errors import DomainError
from chassis.kernel.errors import Unavailable

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed)
"""What the driver raises when the database can't be reached or is too slow."""


class ReadSession:
    """A connection for reading, each statement by itself. A subclass's `bind` makes its repositories."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None

    def bind(self, connection: Connection) -> None:
        """Makes the repositories that work on this connection."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        with outage():
            self._connection = await self._pool.getconn()
        self.bind(self._connection)
        return self

    async def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.putconn(connection)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._give_back()
        if isinstance(error, OUTAGES):
            raise Unavailable from error

    @property
    def connection(self) -> Connection:
        """The connection; RuntimeError outside `async with`."""
        if self._connection is None:
            message = "used outside `async with`"
            raise RuntimeError(message)
        return self._connection


class SqlUnitOfWork(ReadSession):
    """A transaction. Leaving without `commit` undoes it, whatever the reason."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        try:
            with outage():
                await self.connection.execute("BEGIN")
        except BaseException:
            # Nobody will leave what was not entered. A caller who was cancelled meanwhile may well have begun.
            try:
                await self._undo()
            finally:
                await self._give_back()
            raise
        return self

    async def commit(self) -> None:
        """Makes the work last. The unit is over then."""
        await self.connection.commit()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._undo()
        except BaseException:
            await self._give_back()
            raise
        await super().__aexit__(kind, error, trace)

    async def _undo(self) -> None:
        """Ends a transaction that is still open, and with it the connection where it takes that."""
        connection = self.connection
        if connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE:
            return
        try:
            await connection.rollback()
        except psycopg.Error:
            await connection.close()
        except BaseException:
            # Cancelled once more: nobody knows how far it came.
            await connection.close()
            raise


@contextmanager
def outage() -> Iterator[None]:
    """Turns an outage into Unavailable, which the caller may try again on."""
    try:
        yield
    except OUTAGES as error:
        raise Unavailable from error


@contextmanager
def constraints(errors: Mapping[str, Callable[[], DomainError]]) -> Iterator[None]:
    """Turns the violation of a named constraint into what it means; other driver errors pass."""
    try:
        yield
    except psycopg.IntegrityError as error:
        meaning = errors.get(error.diag.constraint_name or "")
        if meaning is None:
            raise
        raise meaning() from error
