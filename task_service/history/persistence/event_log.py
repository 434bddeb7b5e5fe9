"""The event log in Postgres, read in commit order (docs/adr/0011-order-of-events.md).

Transactions overlap, so an event can commit after events with higher numbers. A reader that goes by the number alone
would skip it. So each transaction announces, before it takes its number, the least number that it may take. Readers see
only events below the horizon: the least announced number, or the newest number if there is no announcement. No event
can appear below the horizon later.
"""

import secrets
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, overload
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    or_,
    select,
    text,
    tuple_,
    union_all,
)

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from task_service.history.domain.event_log import LOG_START, EventQuery, LoggedEvent, LogPosition, LogSection
from task_service.history.domain.events import TaskEvent
from task_service.history.persistence.events import SELECTED_COLUMNS, decode_event
from task_service.persistence.tables import task_events

# Three statements, in this order: a statement's snapshot is older than the locks that it reads. A transaction whose
# number is not above `newest_number` had announced it before. It either still holds the announcement, or it has ended,
# and the statement that reads the events sees its rows.
_NEWEST_NUMBER = Statement(text("SELECT last_value FROM transaction_numbers"))
_LEAST_ANNOUNCED = Statement(text("SELECT least_announced_transaction_number()"))
_EPOCH = Statement(text("SELECT epoch FROM event_log"))
_SET_EPOCH = Statement(text("UPDATE event_log SET epoch = :epoch"))

_NUMBER, _ID = task_events.c.transaction_number, task_events.c.id
_POSITION = tuple_(_NUMBER, _ID)
_AFTER, _END = (
    tuple_(bindparam(f"{name}_transaction", type_=BigInteger()), bindparam(f"{name}_id", type_=Uuid()))
    for name in ("after", "end")
)

_VISIBLE_TO = bindparam("visible_to", type_=Uuid())
_NOT_OWNED = task_events.c.owner_id != _VISIBLE_TO
# Events that a user may see, in three disjoint parts, each with an index in log order.
_VISIBLE_PARTS = (
    task_events.c.owner_id == _VISIBLE_TO,
    and_(task_events.c.assignee_id == _VISIBLE_TO, _NOT_OWNED),
    and_(task_events.c.former_assignee_id == _VISIBLE_TO, _NOT_OWNED),
)
_FILTERS: dict[str, ColumnElement[bool]] = {
    "visible_to": or_(*_VISIBLE_PARTS),
    "task_id": task_events.c.task_id == bindparam("task_id"),
    "owner_id": task_events.c.owner_id == bindparam("owner_id"),
    "actor_id": task_events.c.actor_id == bindparam("actor_id"),
    "actions": task_events.c.action == any_(bindparam("actions", type_=ARRAY(Text))),
    "occurred_before": task_events.c.occurred_at < bindparam("occurred_before"),
    "occurred_after": task_events.c.occurred_at > bindparam("occurred_after"),
    "request_id": task_events.c.request_id == bindparam("request_id"),
}


_INDEXED = frozenset({"visible_to"})
"""Filters whose matches an index gives in log order."""


class _QueryShape(NamedTuple):
    """Shape of a query. Queries with equal shapes use the same statement."""

    filters: frozenset[str]
    has_after: bool
    has_end: bool
    newest_first: bool


class SqlEventLog:
    """Event log on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def epoch(self) -> int:
        return int(await self._scalar(_EPOCH))

    async def horizon(self) -> int:
        newest = int(await self._scalar(_NEWEST_NUMBER))
        announced = await self._scalar(_LEAST_ANNOUNCED)
        return 1 + (newest if announced is None else min(newest, int(announced)))

    async def scan(
        self, query: EventQuery, after: LogPosition | None, horizon: int, *, limit: int, max_scanned: int
    ) -> LogSection:
        values = {name: getattr(query, name) for name in _FILTERS}
        values["actions"] = list(query.actions)
        used = frozenset(name for name, value in values.items() if value)
        section = {"horizon": horizon, **_position_values("after", after)}
        end = None
        # Without other filters every event matches. The events of a task and of a user are found by indexes.
        if used - _INDEXED and "task_id" not in used:
            shape = _QueryShape(used & _INDEXED, after is not None, has_end=False, newest_first=query.newest_first)
            row = await _end_statement(shape).fetch_one(
                self._connection, **section, visible_to=query.visible_to, limit=max_scanned, offset=max_scanned - 1
            )
            end = LogPosition._make(row) if row else None
        shape = _QueryShape(used, after is not None, has_end=end is not None, newest_first=query.newest_first)
        cursor = await _statement(shape).run(
            self._connection, **values, **section, **_position_values("end", end), limit=limit
        )
        rows = await cursor.fetchall()
        return LogSection(_Events(rows, query.visible_to), _position(rows[-1]) if len(rows) == limit else end)

    async def _scalar(self, statement: Statement) -> Any:
        return (await (await statement.run(self._connection)).fetchall())[0][0]


class _Events(Sequence[LoggedEvent]):
    """Events of rows, decoded one by one when they are read, because a stream yields to other calls between two."""

    def __init__(self, rows: Sequence[tuple[Any, ...]], visible_to: UUID | None) -> None:
        self._rows = rows
        self._visible_to = visible_to

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> LoggedEvent: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[LoggedEvent]: ...

    def __getitem__(self, index: int | slice) -> LoggedEvent | Sequence[LoggedEvent]:
        if isinstance(index, slice):
            return [self._decode(row) for row in self._rows[index]]
        return self._decode(self._rows[index])

    def _decode(self, row: tuple[Any, ...]) -> LoggedEvent:
        logged = LoggedEvent(decode_event(row[:-1]), _position(row))
        return logged if self._visible_to is None else logged.for_user(self._visible_to)


def _position_values(name: str, position: LogPosition | None) -> dict[str, Any]:
    transaction, event_id = position or LOG_START
    return {f"{name}_transaction": transaction, f"{name}_id": event_id}


def _section(query: Select[Any], shape: _QueryShape) -> Select[Any]:
    """Limit a query to a section of the log, in the requested order."""
    query = query.where(bindparam("horizon", type_=BigInteger()) > _NUMBER)
    if shape.has_after:
        query = query.where(_POSITION < _AFTER if shape.newest_first else _POSITION > _AFTER)
    if shape.has_end:
        query = query.where(_POSITION >= _END if shape.newest_first else _POSITION <= _END)
    return _ordered(query, shape, _NUMBER, _ID)


def _ordered(query: Select[Any], shape: _QueryShape, *keys: ColumnElement[Any]) -> Select[Any]:
    return query.order_by(*(key.desc() if shape.newest_first else key.asc() for key in keys))


def _page(columns: Sequence[ColumnElement[Any]], shape: _QueryShape) -> Select[Any]:
    """Return the query of the first `limit` matching rows of a section, in the requested order."""
    limit: BindParameter[int] = bindparam("limit")
    if "visible_to" not in shape.filters or "task_id" in shape.filters:
        query = select(*columns).where(*(_FILTERS[name] for name in sorted(shape.filters)))
        return _section(query, shape).limit(limit)
    # Merge three index scans that are already sorted. One scan with OR would read the log, or sort all the user's
    # events.
    filters = [_FILTERS[name] for name in sorted(shape.filters - _INDEXED)]
    parts = [_section(select(*columns).where(part, *filters), shape).limit(limit) for part in _VISIBLE_PARTS]
    visible = union_all(*parts).subquery("visible")
    return _ordered(select(visible), shape, visible.c.transaction_number, visible.c.id).limit(limit)


@lru_cache(maxsize=1000)
def _statement(shape: _QueryShape) -> Statement:
    return Statement(_page([*SELECTED_COLUMNS, _NUMBER], shape))


@lru_cache
def _end_statement(shape: _QueryShape) -> Statement:
    page = _page([_NUMBER, _ID], shape).subquery("page")
    query = _ordered(select(page), shape, page.c.transaction_number, page.c.id)
    return Statement(query.offset(bindparam("offset")).limit(1))


def _position(row: tuple[Any, ...]) -> LogPosition:
    return LogPosition(row[-1], row[TaskEvent._fields.index("id")])


async def start_new_epoch(connection: Connection) -> None:
    """End all cursors. The epoch is random, because two restores of one backup must not get the same."""
    await _SET_EPOCH.execute(connection, epoch=secrets.randbits(60))
