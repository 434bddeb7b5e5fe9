"""Encoder of a batch's rows to binary COPY data: tasks and their first events.

It writes bytes directly instead of creating objects first: at tens of thousands of rows a second this is most of the
service's work for an import. The columns and the shared values of all rows come from one ordinary task and event.
So the definition of a new task stays in one place. A test compares both row by row.
"""

import os
import struct
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from hashlib import sha256
from json.encoder import encode_basestring  # json.dumps uses it for a single string
from typing import NamedTuple
from uuid import UUID

from uuid_utils import uuid7

from task_service.history.persistence.events import ENCODED_COLUMNS, SALT_BYTES, encode_event
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.persistence.binary_copy import (
    JSONB,
    NULL,
    encode_cell,
    encode_date,
    encode_length,
    encode_text_array,
    encode_timestamp,
    encode_value,
)
from task_service.tasks.domain.task import Task, Values, new_task
from task_service.tasks.domain.task_events import change_text, task_created
from task_service.tasks.domain.values import Priority, Status
from task_service.tasks.persistence.task_rows import encode_task as task_row


class CopyRows(NamedTuple):
    """COPY data between header and trailer."""

    tasks: bytes
    events: "EventRows"


class EventRows(NamedTuple):
    """Rows of events, without the last cells, which all rows share.

    A batch is encoded before its transaction begins, so the number of that transaction is not known yet.
    """

    rows: Sequence[bytes]
    shared_cells: bytes

    def encode(self, transaction_number: bytes) -> bytes:
        """Return the COPY data. `transaction_number` is the cell with the number."""
        end = self.shared_cells + transaction_number
        return end.join((*self.rows, b""))


# Columns that differ from row to row, in the order of the encoded cells.
_VARYING_TASK_COLUMNS = (
    "id",
    "title",
    "description",
    "status",
    "priority",
    "due_date",
    "completed_at",
    "created_at",
    "updated_at",
    "labels",
    "external_id",
    "assignee_id",
)
_VARYING_EVENT_COLUMNS = (
    "id",
    "task_id",
    "changes",
    "free_text",
    "salt",
    "free_text_digest",
    "occurred_at",
    "assignee_id",
)
TASK_COLUMNS = (*_VARYING_TASK_COLUMNS, *(name for name in Task._fields if name not in _VARYING_TASK_COLUMNS))
_SHARED_EVENT_COLUMNS = tuple(name for name in ENCODED_COLUMNS if name not in _VARYING_EVENT_COLUMNS)
EVENT_COLUMNS = (*_VARYING_EVENT_COLUMNS, *_SHARED_EVENT_COLUMNS, "transaction_number")

_ID_LENGTH = encode_length(16)
_TASK_PREFIX = struct.pack("!h", len(TASK_COLUMNS)) + _ID_LENGTH
_EVENT_PREFIX = struct.pack("!h", len(EVENT_COLUMNS)) + _ID_LENGTH
_SALT_LENGTH = encode_length(SALT_BYTES)
_DIGEST_LENGTH = encode_length(sha256().digest_size)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EMPTY_OPTIONAL_CELLS = encode_cell(encode_text_array(())) + encode_cell(b"") + NULL


def encode_rows(context: IngestContext, accepted: Sequence[Values]) -> CopyRows:
    """Encode new tasks and their events, in the order of the columns above."""
    if not accepted:
        return CopyRows(b"", EventRows((), b""))
    shared_task_cells, shared_event_cells, shared_changes = _encode_shared_parts(context, accepted[0])
    tasks: list[bytes] = []
    events: list[bytes] = []
    # One call for all salts of the batch.
    salts, offset = os.urandom(SALT_BYTES * len(accepted)), 0
    for title, description, status, priority, due_date, labels, external_id, assignee_id, completed_at in accepted:
        # The native UUID costs an eighth of the standard library's.
        new_id = uuid7()
        task_id, moment = new_id.bytes, _encode_moment(new_id.timestamp)
        status_cells, changes = _encode_status_and_priority(status, priority)
        text = f'{{"title":["",{encode_basestring(title)}]'
        if description:
            changes += ',"description":null'
            text += f',"description":["",{encode_basestring(description)}]'
        due = NULL
        if due_date:
            due, more_changes = _encode_due_date(due_date)
            changes += more_changes
        optional_cells, assignee = _EMPTY_OPTIONAL_CELLS, NULL
        if labels or external_id or assignee_id:
            optional_cells, assignee, more_changes, more_text = _encode_optional_fields(
                labels, external_id, assignee_id
            )
            changes += more_changes
            text += more_text
        completion = NULL
        if status is Status.COMPLETED:
            completion = moment
            if completed_at:
                completion, more_changes = _encode_completed_at(completed_at)
                # The event's own time is implied.
                if completion != moment:
                    changes += more_changes
        title_bytes, description_bytes = title.encode(), description.encode()
        tasks += (
            _TASK_PREFIX,
            task_id,
            encode_length(len(title_bytes)),
            title_bytes,
            encode_length(len(description_bytes)),
            description_bytes,
            status_cells,
            due,
            completion,
            moment,
            moment,
            optional_cells,
            shared_task_cells,
        )
        changes_bytes, text_bytes = f"{changes}{shared_changes}".encode(), f"{text}}}".encode()
        salt = salts[offset : offset + SALT_BYTES]
        offset += SALT_BYTES
        events.append(
            b"".join(
                (
                    _EVENT_PREFIX,
                    uuid7().bytes,
                    _ID_LENGTH,
                    task_id,
                    encode_length(len(changes_bytes) + 1),
                    JSONB,
                    changes_bytes,
                    encode_length(len(text_bytes)),
                    text_bytes,
                    _SALT_LENGTH,
                    salt,
                    _DIGEST_LENGTH,
                    sha256(salt + text_bytes).digest(),
                    moment,
                    assignee,
                )
            )
        )
    return CopyRows(b"".join(tasks), EventRows(events, shared_event_cells))


# Values that occur in many rows are encoded once.


@lru_cache(maxsize=64)
def _encode_moment(milliseconds: int) -> bytes:
    """Return the cell of a time; milliseconds since 1970."""
    return encode_cell(encode_timestamp(milliseconds * 1000))


@cache
def _encode_status_and_priority(status: Status, priority: Priority) -> tuple[bytes, str]:
    """Return the task's cells, and the start of the event's changes."""
    cells = encode_value(status) + encode_value(priority)
    return cells, f'{{"title":null,"status":["","{status}"],"priority":["","{priority}"]'


@lru_cache(maxsize=4096)
def _encode_due_date(due_date: date) -> tuple[bytes, str]:
    """Return the task's cell, and its part of the event's changes."""
    return encode_cell(encode_date(due_date)), f',"due_date":["","{due_date}"]'


def _encode_completed_at(moment: datetime) -> tuple[bytes, str]:
    """Return the task's cell, and its part of the event's changes."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return encode_cell(encode_timestamp(microseconds)), f',"completed_at":["","{change_text(moment)}"]'


def _encode_optional_fields(
    labels: tuple[str, ...], external_id: str, assignee_id: UUID | None
) -> tuple[bytes, bytes, str, str]:
    """Return the task's cells, the assignee's cell, and the ends of the event's changes and of its free text."""
    label_cell, more_changes, text = _encode_labels(labels)
    assignee, assignee_change = _encode_assignee(assignee_id)
    if external_id:
        more_changes += ',"external_id":null'
        text += f',"external_id":["",{encode_basestring(external_id)}]'
    return label_cell + encode_value(external_id) + assignee, assignee, more_changes + assignee_change, text


@lru_cache(maxsize=256)
def _encode_labels(labels: tuple[str, ...]) -> tuple[bytes, str, str]:
    """Return the task's cell, and its parts of the event's changes and free text."""
    if not labels:
        return encode_cell(encode_text_array(())), "", ""
    return (
        encode_cell(encode_text_array(labels)),
        ',"labels":null',
        f',"labels":["",{encode_basestring(",".join(labels))}]',
    )


@lru_cache(maxsize=1024)
def _encode_assignee(assignee_id: UUID | None) -> tuple[bytes, str]:
    """Return the task's cell, and its part of the event's changes."""
    return encode_value(assignee_id), f',"assignee_id":["","{assignee_id}"]' if assignee_id else ""


def _encode_shared_parts(context: IngestContext, values: Values) -> tuple[bytes, bytes, str]:
    """Return the shared last cells of tasks and of events, and the shared end of the events' changes."""
    task = new_task(values, task_id=UUID(int=0), owner_id=context.owner_id, import_id=context.import_id)
    event = task_created(task, by=context.actor, event_id=task.id)
    changes = tuple(change for change in event.changes if change.field not in _VARYING_TASK_COLUMNS)
    task_values = dict(zip(Task._fields, task_row(task), strict=True))
    event_values = dict(zip(ENCODED_COLUMNS, encode_event(event._replace(changes=changes), b""), strict=True))
    return (
        b"".join(encode_value(task_values[name]) for name in TASK_COLUMNS[len(_VARYING_TASK_COLUMNS) :]),
        b"".join(encode_value(event_values[name]) for name in _SHARED_EVENT_COLUMNS),
        "," + event_values["changes"][1:],
    )
