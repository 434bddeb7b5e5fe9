"""The log of all events in Postgres, read in the order of commits.

Ids are made before their transaction commits, and transactions overlap: a reader that goes by id alone passes what
commits late. Each row has the number of its transaction, and only rows of transactions below the oldest one that still
runs are read: nothing can be put among those any more.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.types import UserDefinedType

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.kernel.pagination import InvalidPageToken, Page, PageRequest
from task_service.history.domain.event_log import BEGINNING, EventQuery, Logged, Place
from task_service.history.persistence.events import COLUMNS, event_of
from task_service.persistence.tables import task_events


class _Xid8(UserDefinedType[int]):
    """A transaction's number in 64 bits, which never comes again."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


_HORIZON = Statement(text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"))

_XID: ColumnElement[Any] = literal_column("tasks.task_events.xid", _Xid8())
_XID_NUMBER: ColumnElement[Any] = literal_column("CAST(CAST(tasks.task_events.xid AS text) AS bigint)")
_HERE = tuple_(_XID, task_events.c.id)
# As text: the driver has no type for it.
_THERE = tuple_(cast(bindparam("after_xid", type_=Text()), _Xid8()), bindparam("after_id", type_=Uuid()))

_RESTRICTIONS: dict[str, ColumnElement[bool]] = {
    "seen_by": or_(task_events.c.owner_id == bindparam("seen_by"), task_events.c.assignee_id == bindparam("seen_by")),
    "task_id": task_events.c.task_id == bindparam("task_id"),
    "owner_id": task_events.c.owner_id == bindparam("owner_id"),
    "actor_id": task_events.c.actor_id == bindparam("actor_id"),
    "actions": task_events.c.action == any_(bindparam("actions", type_=ARRAY(Text))),
    "occurred_before": task_events.c.occurred_at < bindparam("occurred_before"),
    "occurred_after": task_events.c.occurred_at > bindparam("occurred_after"),
    "request_id": task_events.c.request_id == bindparam("request_id"),
}


class _Shape(NamedTuple):
    restrictions: frozenset[str]
    after: bool
    newest_first: bool


class SqlEventLog:
    """The log, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def horizon(self) -> int:
        cursor = await _HORIZON.run(self._connection)
        row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def page(self, query: EventQuery, request: PageRequest) -> Page[Logged]:
        try:
            after = Place.from_bytes(request.after) if request.after else None
        except ValueError:
            raise InvalidPageToken from None
        found = await self._read(query, after, await self.horizon(), request.size + 1)
        return request.page(found, lambda logged: logged.place.to_bytes())

    async def following(self, query: EventQuery, after: Place, before: int, most: int) -> list[Logged]:
        return await self._read(query, after, before, most)

    async def _read(self, query: EventQuery, after: Place | None, before: int, most: int) -> list[Logged]:
        values = {name: getattr(query, name) for name in _RESTRICTIONS}
        values["actions"] = list(query.actions)
        used = frozenset(name for name, value in values.items() if value)
        place = after or BEGINNING
        cursor = await _statement(_Shape(used, after is not None, query.newest_first)).run(
            self._connection,
            **values,
            before=str(before),
            after_xid=str(place.transaction),
            after_id=place.event_id,
            most=most,
        )
        return [_logged(row) for row in await cursor.fetchall()]


@lru_cache(maxsize=1000)
def _statement(shape: _Shape) -> Statement:
    query = select(*COLUMNS, _XID_NUMBER).where(
        cast(bindparam("before", type_=Text()), _Xid8()) > _XID,
        *(_RESTRICTIONS[name] for name in sorted(shape.restrictions)),
    )
    if shape.after:
        query = query.where(_HERE < _THERE if shape.newest_first else _HERE > _THERE)
    order = [column.desc() if shape.newest_first else column.asc() for column in (_XID, task_events.c.id)]
    return Statement(query.order_by(*order).limit(bindparam("most")))


def _logged(row: tuple[Any, ...]) -> Logged:
    event = event_of(row[:-1])
    return Logged(event, Place(row[-1], event.id))
