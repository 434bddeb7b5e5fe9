"""Pages of a list, newest first."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.kernel.pagination import Page, PageRequest


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


Item = TypeVar("Item", bound=_Identified)


class PageQuery:
    """Query for the pages of a list, newest first. Its key is the id: a UUIDv7, which grows with time."""

    def __init__(self, rows: Select[Any], row_id: ColumnElement[UUID]) -> None:
        newest = rows.order_by(row_id.desc()).limit(bindparam("max_rows"))
        self._first = Statement(newest)
        self._next = Statement(newest.where(row_id < bindparam("after_id")))

    async def fetch(
        self, connection: Connection, request: PageRequest, convert: Callable[[Sequence[Any]], Item], **values: object
    ) -> Page[Item]:
        """Return a page. `values` are those of the parameters of the rows. Raises InvalidPageToken."""
        statement = self._next if request.after else self._first
        cursor = await statement.run(connection, after_id=request.after_id, max_rows=request.size + 1, **values)
        return request.page([convert(row) for row in await cursor.fetchall()], lambda item: item.id.bytes)
