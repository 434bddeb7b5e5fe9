"""task_service on SQLAlchemy's async engine, for comparison only.

    python -m tests.bench.engine_service

Program, statements and transactions are the same. Connections come from the engine's pool, and the engine runs the
SQLAlchemy construct of a statement, where Statement runs its precompiled SQL.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

import task_service.server
from chassis.database.statement import Statement
from task_service.__main__ import main


@dataclass(frozen=True)
class Engines:
    """One pool in autocommit for reads and one for transactions, so that no call changes the mode of a connection."""

    reading: AsyncEngine
    writing: AsyncEngine


class EngineConnection:
    """Connection with the methods that the unit of work and the repositories use."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._connection: AsyncConnection | None = None
        self._in_transaction = False

    @property
    def info(self) -> SimpleNamespace:
        status = TransactionStatus.INTRANS if self._in_transaction else TransactionStatus.IDLE
        return SimpleNamespace(transaction_status=status)

    async def open(self) -> AsyncConnection:
        """Return the engine's connection: after BEGIN from the writing pool, otherwise from the reading pool."""
        if self._connection is None:
            engine = self._engines.writing if self._in_transaction else self._engines.reading
            self._connection = await engine.connect()
        return self._connection

    async def execute(self, command: str) -> None:
        """Note a BEGIN, the only command of the unit of work. The engine begins with the first statement."""
        assert command == "BEGIN"
        self._in_transaction = True

    async def commit(self) -> None:
        self._in_transaction = False
        await (await self.open()).commit()

    async def rollback(self) -> None:
        self._in_transaction = False
        await (await self.open()).rollback()

    async def close(self) -> None:
        """Return the connection to its pool."""
        if self._connection is not None:
            await self._connection.close()


class EngineCursor:
    """Result with the methods that the repositories use."""

    def __init__(self, result: Any) -> None:
        self._result = result

    @property
    def rowcount(self) -> int:
        return int(self._result.rowcount)

    async def fetchone(self) -> Any:
        return self._result.fetchone()

    async def fetchall(self) -> Any:
        return self._result.fetchall()


class EnginePool:
    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def getconn(self) -> EngineConnection:
        return EngineConnection(self._engines)

    async def putconn(self, connection: EngineConnection) -> None:
        await connection.close()


@asynccontextmanager
async def open_engines(url: str, *, name: str, size: int) -> AsyncIterator[EnginePool]:
    def engine(**more: Any) -> AsyncEngine:
        return create_async_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=size,
            max_overflow=0,
            json_serializer=str,  # changes of history are already JSON text
            connect_args={"application_name": name},
            **more,
        )

    engines = Engines(reading=engine(isolation_level="AUTOCOMMIT"), writing=engine())
    try:
        yield EnginePool(engines)
    finally:
        await engines.reading.dispose()
        await engines.writing.dispose()


async def run(statement: Statement, connection: EngineConnection, **values: Any) -> EngineCursor:
    """Run a statement on the engine, in place of Statement.run."""
    opened = await connection.open()
    return EngineCursor(await opened.execute(statement.clause, values))  # type: ignore[call-overload]


if __name__ == "__main__":
    task_service.server.open_pool = open_engines  # type: ignore[assignment,attr-defined]
    Statement.run = run  # type: ignore[assignment,method-assign]
    main()
