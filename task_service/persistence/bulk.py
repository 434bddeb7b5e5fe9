"""The rows of a batch as the text that COPY takes, tasks and their first events.

Both are written out here and not made as objects first: at tens of thousands of rows a second that is most of what
the service does for an import. What is the same in every row of a batch, and which columns there are, comes from one
task and one event made as for any other task, so that those stay the only place that says what a new task is; a test
compares the two ways row by row.
"""

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring  # json.dumps's own for one string
from typing import NamedTuple
from uuid import UUID

from uuid_utils import uuid7

from task_service.domain.history import created
from task_service.domain.imports import IngestContext
from task_service.domain.task import Task, Values, new_task
from task_service.domain.values import Status
from task_service.persistence.history import SALT_BYTES, STORED, row_of
from task_service.persistence.tasks import row_of as task_row

_NULL = "\\N"
# COPY's text format (PostgreSQL, "COPY", File Formats).
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
_TO_ESCAPE = re.compile("[\\\\\t\n\r\b\f\v]")


class CopyText(NamedTuple):
    """What COPY is fed with."""

    tasks: str
    events: str


# What differs from row to row, in the order that the lines below have it.
_VARYING = (
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
_EVENT_VARYING = ("id", "task_id", "changes", "free_text", "salt", "free_text_digest", "occurred_at", "assignee_id")
TASK_COLUMNS = (*_VARYING, *(name for name in Task._fields if name not in _VARYING))
EVENT_COLUMNS = (*_EVENT_VARYING, *(name for name in STORED if name not in _EVENT_VARYING))


def copy_text(context: IngestContext, accepted: Sequence[Values]) -> CopyText:
    """The text of the tasks that these values become, and of their events, in the order of the columns above."""
    if not accepted:
        return CopyText("", "")
    same_task, same_event, same_changes = _what_is_the_same(context, accepted[0])
    moments: dict[int, str] = {}
    tasks, events = [], []
    # All salts of the batch are one look at the system's chance.
    salts, at = os.urandom(SALT_BYTES * len(accepted)), 0
    for title, description, status, priority, due_date, labels, external_id, assignee_id in accepted:
        # The native kind: as text it costs an eighth of what a UUID of the standard library does.
        new_id = uuid7()
        task_id, moment = str(new_id), moments.get(new_id.timestamp)
        if moment is None:
            moment = moments[new_id.timestamp] = str(datetime.fromtimestamp(new_id.timestamp / 1000, UTC))
        changes = f'"title":null,"status":["","{status}"],"priority":["","{priority}"]'
        text = f'{{"title":["",{encode_basestring(title)}]'
        if description:
            changes += ',"description":null'
            text += f',"description":["",{encode_basestring(description)}]'
            description = _escaped(description)  # noqa: PLW2901 - from here on as COPY has it
        due = _NULL
        if due_date:
            due = due_date.isoformat()
            changes += f',"due_date":["","{due}"]'
        rest, assignee = _NOTHING_RARER, _NULL
        if labels or external_id or assignee_id:
            rest, assignee, told, written = _rarer(labels, external_id, assignee_id)
            changes += told
            text += written
        text += "}"
        salt = salts[at : at + SALT_BYTES]
        at += SALT_BYTES
        digest = sha256(salt + text.encode()).hexdigest()
        if "\\" in text:
            text = text.replace("\\", "\\\\")
        completed = moment if status is Status.COMPLETED else _NULL
        tasks.append(
            f"{task_id}\t{_escaped(title)}\t{description}\t{status}\t{priority}\t{due}\t{completed}\t{moment}\t{moment}"
            f"\t{rest}\t{same_task}\n"
        )
        events.append(
            f"{uuid7()}\t{task_id}\t{{{changes}{same_changes}}}\t{text}\t\\\\x{salt.hex()}\t\\\\x{digest}"
            f"\t{moment}\t{assignee}\t{same_event}\n"
        )
    return CopyText("".join(tasks), "".join(events))


_NOTHING_RARER = f"{{}}\t\t{_NULL}"


def _rarer(labels: Iterable[str], external_id: str, assignee_id: UUID | None) -> tuple[str, str, str, str]:
    """The end of a task's line, the assignee's cell, and the ends of the event's changes and of its free text."""
    quoted = ",".join('"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"' for label in labels)
    assignee = _cell(assignee_id)
    told = text = ""
    if labels:
        told += ',"labels":null'
        text += f',"labels":["",{encode_basestring(",".join(labels))}]'
    if external_id:
        told += ',"external_id":null'
        text += f',"external_id":["",{encode_basestring(external_id)}]'
    if assignee_id is not None:
        told += f',"assignee_id":["","{assignee}"]'
    return f"{_escaped('{' + quoted + '}')}\t{_escaped(external_id)}\t{assignee}", assignee, told, text


def _what_is_the_same(context: IngestContext, values: Values) -> tuple[str, str, str]:
    """The end of each task's line, of each event's line and of each event's changes."""
    task = new_task(values, task_id=UUID(int=0), owner_id=context.owner_id, import_id=context.import_id)
    event = created(task, by=context.actor, event_id=task.id)
    changes = tuple(change for change in event.changes if change.field not in _VARYING)
    task_cells = dict(zip(Task._fields, task_row(task), strict=True))
    event_cells = dict(zip(STORED, row_of(event._replace(changes=changes), b""), strict=True))
    return (
        "\t".join(_cell(task_cells[name]) for name in TASK_COLUMNS[len(_VARYING) :]),
        "\t".join(_cell(event_cells[name]) for name in EVENT_COLUMNS[len(_EVENT_VARYING) :]),
        "," + _escaped(str(event_cells["changes"])[1:-1]),
    )


def _cell(value: object) -> str:
    return _NULL if value is None else _escaped(str(value))


def _escaped(text: str) -> str:
    # Nearly every text is printable, which is the quickest thing to ask of it.
    if text.isprintable() and "\\" not in text:
        return text
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], text)
