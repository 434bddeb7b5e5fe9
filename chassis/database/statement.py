"""SQLAlchemy Core statements, compiled once each to the SQL that psycopg runs.

Core keeps names, types and composition; its engine's work for each execution is what is saved (see the ADR on SQL).
What the engine would have done at execution is the caller's here: lists go through `= ANY(:array)` instead of `in_()`,
and JSON values are wrapped in psycopg's `Jsonb`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import AsyncCursor
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from chassis.database.pool import Connection

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class ExpandingParameter(ValueError):
    """A statement holds an `in_()`, which only SQLAlchemy's engine can expand."""


class Statement:
    """One statement, ready to run: `sql` has psycopg's named placeholders, %(name)s."""

    __slots__ = ("_constants", "clause", "sql")

    def __init__(self, clause: ClauseElement, columns: Sequence[str] | None = None) -> None:
        """Compiles. `columns` are the columns an INSERT or UPDATE gets values for, all of them where it is None."""
        self.clause = clause
        compiled = clause.compile(dialect=_DIALECT, column_keys=list(columns) if columns is not None else None)
        self.sql = str(compiled)
        if "__[POSTCOMPILE" in self.sql:
            raise ExpandingParameter(self.sql)
        # Values that stand in the statement itself, such as a state to look for.
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}

    async def run(self, connection: Connection, **values: Any) -> AsyncCursor[tuple[Any, ...]]:
        """Runs it on a connection; every parameter must be given a value."""
        return await connection.execute(self.sql, {**self._constants, **values})

    async def run_all(self, connection: Connection, every: Iterable[Mapping[str, Any]]) -> None:
        """Runs it once with each of these values, all in one go: several times as fast as one after the other."""
        async with connection.cursor() as cursor:
            await cursor.executemany(self.sql, [{**self._constants, **values} for values in every])
