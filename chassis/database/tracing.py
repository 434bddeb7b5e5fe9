"""Spans of SQL statements, by OpenTelemetry's semantic conventions for databases. They hold no values and no text."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any, Self

import psycopg
from opentelemetry.trace import SpanKind
from psycopg import AsyncCopy, AsyncCursor, sql
from psycopg.abc import Params

from chassis.database.connection import TimeLimitedConnection
from chassis.tracing.spans import Attributes, child_span, is_sampled

_VERB = re.compile(r"[A-Za-z]+")
_WRITE = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")
# Keywords of our statements are in capitals, names are not; a name before a parenthesis is a function's or a CTE's.
_TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE|JOIN|COPY)\s+((?:"?[a-z_]+"?\.)?"?[a-z_]+"?)(?!\w|"|\.|\()')
_CTE = re.compile(r"(?:WITH|,)\s+([a-z_]+)(?:\s*\([a-z_, ]*\))?\s+AS\s*(?:MATERIALIZED\s*)?\(")
_FUNCTION = re.compile(r"SELECT\s+([a-z_]+)\(")


class TracedCursor(AsyncCursor[tuple[Any, ...]]):
    """Cursor that begins a span for each statement."""

    async def execute(
        self, query: Any, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        with _statement_span(query):
            return await super().execute(query, params, prepare=prepare, binary=binary)

    async def executemany(self, query: Any, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        with _statement_span(query):
            await super().executemany(query, params_seq, returning=returning)

    @asynccontextmanager
    async def copy(self, statement: Any, params: Params | None = None, **options: Any) -> AsyncIterator[AsyncCopy]:
        with _statement_span(statement):
            async with super().copy(statement, params, **options) as copy:
                yield copy


class TracedConnection(TimeLimitedConnection):
    """Connection that begins a span for each statement, and for the end of each transaction."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cursor_factory = TracedCursor

    async def commit(self) -> None:
        with _statement_span("COMMIT"):
            await super().commit()

    async def rollback(self) -> None:
        with _statement_span("ROLLBACK"):
            await super().rollback()


@contextmanager
def _statement_span(query: Any) -> Iterator[None]:
    if not is_sampled():
        yield
        return
    attributes = describe_statement(_text(query))
    summary = str(attributes["db.query.summary"])
    with child_span(summary, attributes, kind=SpanKind.CLIENT, describe_error=_describe_error):
        yield


def _describe_error(error: BaseException) -> Attributes:
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return {"db.response.status_code": error.sqlstate, "error.type": error.sqlstate}
    return {"error.type": type(error).__name__}


def _text(query: Any) -> str:
    if isinstance(query, sql.Composable):
        return query.as_string()
    return query.decode() if isinstance(query, bytes) else str(query)


@lru_cache(maxsize=1024)
def describe_statement(text: str) -> Attributes:
    """Return the attributes of a statement: its verb, and the first table in its text."""
    first = _VERB.search(text)
    verb = first.group().upper() if first else "SQL"
    if verb == "WITH":
        write = _WRITE.search(text)
        verb = write.group() if write else "SELECT"
    attributes: dict[str, str | int] = {"db.system.name": "postgresql", "db.operation.name": verb}
    ctes = set(_CTE.findall(text))
    tables = (match.group(1).replace('"', "") for match in _TABLE.finditer(text))
    if table := next((name for name in tables if name not in ctes), None):
        attributes["db.collection.name"] = table
    function = _FUNCTION.match(text.strip())
    target = attributes.get("db.collection.name") or (function.group(1) if function else "")
    return attributes | {"db.query.summary": f"{verb} {target}".rstrip()}
