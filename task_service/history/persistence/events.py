"""Repository of events in Postgres.

An event's free text and its salt have separate columns, which can be erased. The digest of both stays.
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
from task_service.history.domain.events import ERASABLE_FIELDS, Action, Change, TaskEvent
from task_service.persistence.tables import task_events

SALT_BYTES = 16

SELECTED_COLUMNS = [task_events.c[name] for name in (*TaskEvent._fields, "free_text")]
"""Columns of a row for `decode_event`."""

INSERTED_COLUMNS = (*TaskEvent._fields, "free_text", "salt", "free_text_digest")
"""Names of the columns of a row from `encode_event`."""

# Created once: json.dumps with options creates an encoder for each call.
_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_INSERT = Statement(insert(task_events), columns=INSERTED_COLUMNS)


@cache
def _select_by_task(*, has_after: bool) -> Statement:
    query = select(*SELECTED_COLUMNS).where(task_events.c.task_id == bindparam("task_id"))
    if has_after:
        query = query.where(task_events.c.id > bindparam("after"))
    return Statement(query.order_by(task_events.c.id).limit(bindparam("limit")))


def encode_event(event: TaskEvent, salt: bytes) -> tuple[Any, ...]:
    """Return the event's row in the order of INSERTED_COLUMNS; `salt` is SALT_BYTES random bytes."""
    values = {change.field: (change.old, change.new) for change in event.changes}
    erasable = {field: pair for field, pair in values.items() if field in ERASABLE_FIELDS}
    changes = _encode_json({field: None if field in erasable else pair for field, pair in values.items()})
    if not erasable:
        return (*event[:-1], changes, None, None, None)
    text = _encode_json(erasable)
    return (*event[:-1], changes, text, salt, hashlib.sha256(salt + text.encode()).digest())


def decode_event(row: tuple[Any, ...]) -> TaskEvent:
    """Return the event of a row of SELECTED_COLUMNS."""
    *values, text = row
    event = TaskEvent._make(values)
    free_text = json.loads(text) if text is not None else {}
    changes = tuple(_change(field, pair or free_text.get(field)) for field, pair in values[-1].items())
    return event._replace(action=Action(event.action), changes=changes)


def _change(field: str, pair: tuple[str, str] | None) -> Change:
    return Change(field, *pair) if pair is not None else Change(field, "", "", erased=True)


def _parameters(event: TaskEvent) -> dict[str, Any]:
    return dict(zip(INSERTED_COLUMNS, encode_event(event, os.urandom(SALT_BYTES)), strict=True))


class SqlEvents:
    """Repository of events on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def record(self, event: TaskEvent) -> None:
        await _INSERT.run(self._connection, **_parameters(event))

    async def record_all(self, events: Sequence[TaskEvent]) -> None:
        await _INSERT.run_all(self._connection, map(_parameters, events))

    async def list_for_task(self, task_id: UUID, request: PageRequest) -> Page[TaskEvent]:
        after = request.after_id
        cursor = await _select_by_task(has_after=after is not None).run(
            self._connection, task_id=task_id, after=after, limit=request.size + 1
        )
        return request.page([decode_event(row) for row in await cursor.fetchall()], lambda event: event.id.bytes)
