"""SQLAlchemy Core statements, compiled once to the SQL that psycopg runs (docs/adr/0002-sql.md).

Core provides names, types and composition. SQLAlchemy's engine is not used, so callers must write `= ANY(:array)`
instead of `in_()`, and wrap JSON values in psycopg's `Jsonb`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import AsyncCursor, sql
from psycopg.rows import dict_row
from sqlalchemy import ClauseElement, ColumnElement, Table, bindparam, delete, select, tuple_
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from chassis.database.connection import Connection

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class ExpandingParameter(ValueError):
    """The statement contains an `in_()`, which only SQLAlchemy's engine can expand."""


class Statement:
    """Compiled statement, run with a value for every parameter. `sql` has psycopg's named placeholders, %(name)s."""

    __slots__ = ("_constants", "sql")

    def __init__(self, clause: ClauseElement, columns: Sequence[str] | None = None) -> None:
        """Compile the clause. `columns` are the columns that an INSERT or UPDATE sets; None means all."""
        compiled = clause.compile(dialect=_DIALECT, column_keys=list(columns) if columns is not None else None)
        self.sql = str(compiled)
        if "__[POSTCOMPILE" in self.sql:
            raise ExpandingParameter(self.sql)
        # Literal values of the statement itself.
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}

    async def execute(self, connection: Connection, **values: Any) -> int:
        """Run a statement with small values whose rows nobody reads. Return the number of rows that it changed."""
        cursor = await connection.kept_cursor(self.sql).execute(self.sql, {**self._constants, **values})
        return cursor.rowcount

    async def fetch_one(self, connection: Connection, **values: Any) -> tuple[Any, ...] | None:
        """Run a statement with small values that finds at most one row. Return the row, or None."""
        cursor = await connection.kept_cursor(self.sql).execute(self.sql, {**self._constants, **values})
        return await cursor.fetchone()

    async def run(self, connection: Connection, **values: Any) -> AsyncCursor[tuple[Any, ...]]:
        """Run the statement on a cursor of its own, for any number of rows and values of any size."""
        return await connection.execute(self.sql, {**self._constants, **values})

    async def run_by_name(self, connection: Connection, **values: Any) -> AsyncCursor[dict[str, Any]]:
        """Run the statement; its rows are dictionaries by column name."""
        cursor = connection.cursor(row_factory=dict_row)
        return await cursor.execute(self.sql, {**self._constants, **values})

    async def run_all(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run the statement once for each row, in one round trip: several times faster than one by one."""
        async with connection.cursor() as cursor:
            await cursor.executemany(self.sql, [{**self._constants, **values} for values in rows])


def copy_statement(table: str, columns: Iterable[str]) -> sql.Composed:
    """Return the COPY that inserts rows of these columns, in the text format."""
    return sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def delete_batch(table: Table, condition: ColumnElement[bool]) -> Statement:
    """Return a statement that deletes up to `limit` rows that fulfil the condition."""
    batch = select(*table.primary_key).where(condition).limit(bindparam("limit"))
    # Repeated outside: Postgres rechecks only this condition if another transaction has just changed the row.
    return Statement(delete(table).where(tuple_(*table.primary_key).in_(batch), condition))
