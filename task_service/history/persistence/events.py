"""Repository of events in Postgres.

A transaction inserts its events at its end, after its last row lock, and takes their number just before. Of two
transactions that change the same task, the later one waits for the row lock, so it takes the higher number.

An event's free text has columns of its own, with a salt, and can be erased. The event keeps the digest of both.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, insert, select, text

from chassis.database.connection import Connection
from chassis.database.statement import Statement, copy_statement
from chassis.kernel.cooperation import iterate_cooperatively
from chassis.kernel.pagination import InvalidPageToken, Page, PageRequest
from task_service.history.domain.events import ERASABLE_FIELDS, Action, Change, TaskEvent
from task_service.persistence.json_rows import json_rows
from task_service.persistence.tables import task_events

SALT_BYTES = 16

_REVISION = struct.Struct(">q")

SELECTED_COLUMNS = [task_events.c[name] for name in (*TaskEvent._fields, "free_text")]
"""Columns of a row for `decode_event`."""

ENCODED_COLUMNS = (*TaskEvent._fields, "free_text", "salt", "free_text_digest")
"""Names of the columns of a row from `encode_event`."""

# Created once: json.dumps with options creates an encoder for each call.
_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_TAKE_TRANSACTION_NUMBER = Statement(select(text("take_transaction_number()")))
# A hundred INSERTs take twice as long, although the driver sends them together.
_COPY = copy_statement("task_events", (*ENCODED_COLUMNS, "transaction_number"))
# One statement for the usual transaction, which has one event.
_INSERT_WITH_NEW_TRANSACTION_NUMBER = Statement(
    insert(task_events).values(transaction_number=text("take_transaction_number()")), columns=ENCODED_COLUMNS
)


def insert_events_after(cte: str) -> str:
    """Return the text of a statement that runs the CTE `rows AS (...)`, and then inserts the events of its parameter.

    The parameter is named `events`. The statement takes the number of the transaction when the CTE has returned all
    rows, so after the CTE's row locks.
    """
    columns = ", ".join(ENCODED_COLUMNS)
    return f"""
    WITH {cte}, taken AS MATERIALIZED (
        SELECT take_transaction_number() AS number FROM (SELECT count(*) FROM rows) AS counted
    )
    INSERT INTO task_events ({columns}, transaction_number)
    SELECT {columns}, number FROM taken CROSS JOIN jsonb_populate_recordset(CAST(NULL AS task_events), :events) AS event
    """  # noqa: S608 - the names are constants


@cache
def _select_by_task(*, has_after: bool) -> Statement:
    query = select(*SELECTED_COLUMNS).where(task_events.c.task_id == bindparam("task_id"))
    if has_after:
        query = query.where(task_events.c.revision > bindparam("after"))
    return Statement(query.order_by(task_events.c.revision).limit(bindparam("limit")))


def encode_event(event: TaskEvent, salt: bytes) -> tuple[Any, ...]:
    """Return the event's row in the order of ENCODED_COLUMNS; `salt` is SALT_BYTES random bytes."""
    changes, *free_text = _encode_changes(event, salt)
    return (*event[:-1], _encode_json(changes), *free_text)


def _encode_changes(
    event: TaskEvent, salt: bytes
) -> tuple[dict[str, tuple[str, str] | None], str | None, bytes | None, bytes | None]:
    """Return the changes as JSON has them, and the free text with its salt and its digest."""
    values = {change.field: (change.old, change.new) for change in event.changes}
    erasable = {field: pair for field, pair in values.items() if field in ERASABLE_FIELDS}
    changes = {field: None if field in erasable else pair for field, pair in values.items()}
    if not erasable:
        return changes, None, None, None
    text = _encode_json(erasable)
    return changes, text, salt, hashlib.sha256(salt + text.encode()).digest()


def decode_event(row: tuple[Any, ...]) -> TaskEvent:
    """Return the event of a row of SELECTED_COLUMNS."""
    *values, text = row
    event = TaskEvent._make(values)
    free_text = json.loads(text) if text is not None else {}
    changes = tuple(_change(field, pair or free_text.get(field)) for field, pair in values[-1].items())
    return event._replace(action=Action(event.action), changes=changes)


def _change(field: str, pair: tuple[str, str] | None) -> Change:
    return Change(field, *pair) if pair is not None else Change(field, "", "", erased=True)


def events_parameter(events: Iterable[TaskEvent]) -> Jsonb:
    """Return the parameter of `insert_events_after`."""
    return json_rows(
        dict(zip(ENCODED_COLUMNS, (*event[:-1], *_encode_changes(event, os.urandom(SALT_BYTES))), strict=True))
        for event in events
    )


def _parameters(event: TaskEvent) -> dict[str, Any]:
    return dict(zip(ENCODED_COLUMNS, encode_event(event, os.urandom(SALT_BYTES)), strict=True))


class SqlEvents:
    """Repository of events on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._recorded: list[TaskEvent] = []
        self._transaction_number: int | None = None

    async def record(self, event: TaskEvent) -> None:
        self._recorded.append(event)

    async def record_all(self, events: Sequence[TaskEvent]) -> None:
        self._recorded.extend(events)

    async def take_transaction_number(self) -> int:
        """Return the number of this transaction's events. Call it only after the transaction's last row lock."""
        if self._transaction_number is None:
            cursor = await _TAKE_TRANSACTION_NUMBER.run(self._connection)
            self._transaction_number = (await cursor.fetchall())[0][0]
        return self._transaction_number

    async def insert_recorded(self) -> None:
        """Insert the recorded events. The unit of work calls it directly before it commits."""
        events, self._recorded = self._recorded, []
        if len(events) == 1 and self._transaction_number is None:
            await _INSERT_WITH_NEW_TRANSACTION_NUMBER.execute(self._connection, **_parameters(events[0]))
        elif events:
            number = await self.take_transaction_number()
            async with self._connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                async for event in iterate_cooperatively(events):
                    await copy.write_row((*encode_event(event, os.urandom(SALT_BYTES)), number))

    async def list_for_task(self, task_id: UUID, request: PageRequest) -> Page[TaskEvent]:
        after = _decode_revision(request.after) if request.after else None
        cursor = await _select_by_task(has_after=after is not None).run(
            self._connection, task_id=task_id, after=after, limit=request.size + 1
        )
        return request.page(
            [decode_event(row) for row in await cursor.fetchall()], lambda event: _REVISION.pack(event.revision)
        )


def _decode_revision(raw: bytes) -> int:
    try:
        return int(_REVISION.unpack(raw)[0])
    except struct.error:
        raise InvalidPageToken from None
