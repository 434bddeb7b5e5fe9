"""History in Postgres."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.kernel import Page, PageRequest
from task_service.domain.history import Action, Change, TaskEvent
from task_service.persistence.tables import task_events

COLUMNS = [task_events.c[name] for name in TaskEvent._fields]

# Made once: json.dumps makes one for every call that has options.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_RECORD = Statement(insert(task_events), columns=TaskEvent._fields)


@cache
def _of_task(*, after: bool) -> Statement:
    query = select(*COLUMNS).where(task_events.c.task_id == bindparam("task_id"))
    if after:
        query = query.where(task_events.c.id > bindparam("after"))
    return Statement(query.order_by(task_events.c.id).limit(bindparam("most")))


def row_of(event: TaskEvent) -> tuple[Any, ...]:
    """An event as the table holds it, in the order of its columns."""
    return (*event[:-1], changes_to_json(event.changes))


def changes_to_json(changes: tuple[Change, ...]) -> str:
    return _encode({field: (old, new) for field, old, new in changes})


def _values(event: TaskEvent) -> dict[str, Any]:
    return dict(zip(TaskEvent._fields, row_of(event), strict=True))


class SqlHistory:
    """The history, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def record(self, event: TaskEvent) -> None:
        await _RECORD.run(self._connection, **_values(event))

    async def record_all(self, events: Sequence[TaskEvent]) -> None:
        await _RECORD.run_all(self._connection, map(_values, events))

    async def of_task(self, task_id: UUID, request: PageRequest) -> Page[TaskEvent]:
        after = request.after_id
        cursor = await _of_task(after=after is not None).run(
            self._connection, task_id=task_id, after=after, most=request.size + 1
        )
        return request.page([event_of(row) for row in await cursor.fetchall()], lambda event: event.id.bytes)


def event_of(row: tuple[Any, ...]) -> TaskEvent:
    event = TaskEvent._make(row)
    changes = tuple(Change(field, old, new) for field, (old, new) in row[-1].items())
    return event._replace(action=Action(event.action), changes=changes)
