"""The event log in Postgres, read in commit order (docs/adr/0011-order-of-events.md).

Transactions overlap, so an event can commit after events with higher numbers. A reader that goes by the number alone
would skip it. So each transaction announces, before it takes its number, the least number that it may take. Readers see
only events below the horizon: the least announced number, or the newest number if there is no announcement. No event
can appear below the horizon later.
"""

import secrets
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Select, Text, Uuid, any_, bindparam, or_, select, text, tuple_

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.history.domain.event_log import LOG_START, EventQuery, LoggedEvent, LogPosition, Scan
from task_service.history.persistence.events import SELECTED_COLUMNS, decode_event
from task_service.persistence.tables import task_events

# Three statements, in this order: a statement's snapshot is older than the locks that it reads. A transaction whose
# number is not above `newest_number` had announced it before. It either still holds the announcement, or it has ended,
# and the statement that reads the events sees its rows.
_NEWEST_NUMBER = Statement(text("SELECT last_value FROM tasks.transaction_numbers"))
_LEAST_ANNOUNCED = Statement(text("SELECT tasks.least_announced_transaction_number()"))
_EPOCH = Statement(text("SELECT epoch FROM tasks.event_log"))
_SET_EPOCH = Statement(text("UPDATE tasks.event_log SET epoch = :epoch"))

_NUMBER, _ID = task_events.c.transaction_number, task_events.c.id
_POSITION = tuple_(_NUMBER, _ID)
_AFTER, _END = (
    tuple_(bindparam(f"{name}_transaction", type_=BigInteger()), bindparam(f"{name}_id", type_=Uuid()))
    for name in ("after", "end")
)

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
    ) -> Scan:
        values = {name: getattr(query, name) for name in _FILTERS}
        values["actions"] = list(query.actions)
        used = frozenset(name for name, value in values.items() if value)
        section = {"horizon": horizon, **_position_values("after", after)}
        end = None
        # Without a filter every event matches. A task's events are found by its own index.
        if used and "task_id" not in used:
            shape = _QueryShape(frozenset(), after is not None, has_end=False, newest_first=query.newest_first)
            cursor = await _end_statement(shape).run(self._connection, **section, offset=max_scanned - 1)
            row = await cursor.fetchone()
            end = LogPosition._make(row) if row else None
        shape = _QueryShape(used, after is not None, has_end=end is not None, newest_first=query.newest_first)
        cursor = await _statement(shape).run(
            self._connection, **values, **section, **_position_values("end", end), limit=limit
        )
        events = [_decode_row(row) for row in await cursor.fetchall()]
        return Scan(events, events[-1].position if len(events) == limit else end)

    async def _scalar(self, statement: Statement) -> Any:
        return (await (await statement.run(self._connection)).fetchall())[0][0]


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
    return query.order_by(*(column.desc() if shape.newest_first else column.asc() for column in (_NUMBER, _ID)))


@lru_cache(maxsize=1000)
def _statement(shape: _QueryShape) -> Statement:
    query = select(*SELECTED_COLUMNS, _NUMBER).where(*(_FILTERS[name] for name in sorted(shape.filters)))
    return Statement(_section(query, shape).limit(bindparam("limit")))


@lru_cache
def _end_statement(shape: _QueryShape) -> Statement:
    return Statement(_section(select(_NUMBER, _ID), shape).offset(bindparam("offset")).limit(1))


def _decode_row(row: tuple[Any, ...]) -> LoggedEvent:
    event = decode_event(row[:-1])
    return LoggedEvent(event, LogPosition(row[-1], event.id))


async def start_new_epoch(connection: Connection) -> None:
    """End all cursors. The epoch is random, because two restores of one backup must not get the same."""
    await _SET_EPOCH.run(connection, epoch=secrets.randbits(60))
