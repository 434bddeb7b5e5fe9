"""Event log in Postgres, read in commit order.

An event's id is created before its transaction commits, and transactions overlap. A reader that pages by id alone would
skip events that commit late. So each row has its transaction's number. Readers see only rows below the horizon, which
is the oldest running transaction. No row can appear below the horizon later.
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
from task_service.history.domain.event_log import LOG_START, EventQuery, LoggedEvent, LogPosition
from task_service.history.persistence.events import SELECTED_COLUMNS, decode_event
from task_service.persistence.tables import task_events


class _Xid8(UserDefinedType[int]):
    """Postgres type xid8: a 64-bit transaction number, never reused."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


_HORIZON = Statement(text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"))

_XID: ColumnElement[Any] = literal_column("tasks.task_events.xid", _Xid8())
_XID_NUMBER: ColumnElement[Any] = literal_column("CAST(CAST(tasks.task_events.xid AS text) AS bigint)")
_POSITION = tuple_(_XID, task_events.c.id)
# xid8 values travel as text: the driver has no type for them.
_AFTER = tuple_(cast(bindparam("after_xid", type_=Text()), _Xid8()), bindparam("after_id", type_=Uuid()))

_FILTERS: dict[str, ColumnElement[bool]] = {
    "visible_to": or_(
        task_events.c.owner_id == bindparam("visible_to"), task_events.c.assignee_id == bindparam("visible_to")
    ),
    "task_id": task_events.c.task_id == bindparam("task_id"),
    "owner_id": task_events.c.owner_id == bindparam("owner_id"),
    "actor_id": task_events.c.actor_id == bindparam("actor_id"),
    "actions": task_events.c.action == any_(bindparam("actions", type_=ARRAY(Text))),
    "occurred_before": task_events.c.occurred_at < bindparam("occurred_before"),
    "occurred_after": task_events.c.occurred_at > bindparam("occurred_after"),
    "request_id": task_events.c.request_id == bindparam("request_id"),
}


class _QueryShape(NamedTuple):
    """Shape of a query. Queries with equal shapes use the same statement."""

    filters: frozenset[str]
    has_after: bool
    newest_first: bool


class SqlEventLog:
    """Event log on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def horizon(self) -> int:
        cursor = await _HORIZON.run(self._connection)
        row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def page(self, query: EventQuery, request: PageRequest) -> Page[LoggedEvent]:
        try:
            after = LogPosition.from_bytes(request.after) if request.after else None
        except ValueError:
            raise InvalidPageToken from None
        rows = await self._read(query, after, await self.horizon(), request.size + 1)
        return request.page(rows, lambda logged: logged.position.to_bytes())

    async def list_after(self, query: EventQuery, after: LogPosition, horizon: int, limit: int) -> list[LoggedEvent]:
        return await self._read(query, after, horizon, limit)

    async def _read(self, query: EventQuery, after: LogPosition | None, horizon: int, limit: int) -> list[LoggedEvent]:
        values = {name: getattr(query, name) for name in _FILTERS}
        values["actions"] = list(query.actions)
        used = frozenset(name for name, value in values.items() if value)
        position = after or LOG_START
        cursor = await _compile_page(_QueryShape(used, after is not None, query.newest_first)).run(
            self._connection,
            **values,
            horizon=str(horizon),
            after_xid=str(position.transaction),
            after_id=position.event_id,
            limit=limit,
        )
        return [_decode_row(row) for row in await cursor.fetchall()]


@lru_cache(maxsize=1000)
def _compile_page(shape: _QueryShape) -> Statement:
    query = select(*SELECTED_COLUMNS, _XID_NUMBER).where(
        cast(bindparam("horizon", type_=Text()), _Xid8()) > _XID,
        *(_FILTERS[name] for name in sorted(shape.filters)),
    )
    if shape.has_after:
        query = query.where(_POSITION < _AFTER if shape.newest_first else _POSITION > _AFTER)
    order = [column.desc() if shape.newest_first else column.asc() for column in (_XID, task_events.c.id)]
    return Statement(query.order_by(*order).limit(bindparam("limit")))


def _decode_row(row: tuple[Any, ...]) -> LoggedEvent:
    event = decode_event(row[:-1])
    return LoggedEvent(event, LogPosition(row[-1], event.id))
