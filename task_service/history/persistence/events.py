"""History in Postgres.

An event's free text stands beside its other values, with a salt, and can be erased; the event keeps their digest.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import FREE_TEXT, Action, Change, TaskEvent
from task_service.persistence.tables import task_events

SALT_BYTES = 16

COLUMNS = [task_events.c[name] for name in (*TaskEvent._fields, "free_text")]
"""What `event_of` takes."""

STORED = (*TaskEvent._fields, "free_text", "salt", "free_text_digest")
"""What `row_of` makes."""

# Made once: json.dumps makes one for every call that has options.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_RECORD = Statement(insert(task_events), columns=STORED)


@cache
def _of_task(*, after: bool) -> Statement:
    query = select(*COLUMNS).where(task_events.c.task_id == bindparam("task_id"))
    if after:
        query = query.where(task_events.c.id > bindparam("after"))
    return Statement(query.order_by(task_events.c.id).limit(bindparam("most")))


def row_of(event: TaskEvent, salt: bytes) -> tuple[Any, ...]:
    """An event as the table holds it, in the order of STORED; `salt` is SALT_BYTES of chance."""
    values = {change.field: (change.old, change.new) for change in event.changes}
    free = {field: pair for field, pair in values.items() if field in FREE_TEXT}
    changes = _encode({field: None if field in free else pair for field, pair in values.items()})
    if not free:
        return (*event[:-1], changes, None, None, None)
    text = _encode(free)
    return (*event[:-1], changes, text, salt, hashlib.sha256(salt + text.encode()).digest())


def _values(event: TaskEvent) -> dict[str, Any]:
    return dict(zip(STORED, row_of(event, os.urandom(SALT_BYTES)), strict=True))


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
    """The event in a row of COLUMNS."""
    *values, text = row
    event = TaskEvent._make(values)
    free = json.loads(text) if text is not None else {}
    changes = tuple(_change(field, pair or free.get(field)) for field, pair in values[-1].items())
    return event._replace(action=Action(event.action), changes=changes)


def _change(field: str, pair: tuple[str, str] | None) -> Change:
    return Change(field, *pair) if pair is not None else Change(field, "", "", erased=True)
