"""The quick way that an import's rows take makes exactly what the way of every other task makes."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from chassis.kernel import Invalid
from task_service.domain.csv_text import plain
from task_service.domain.history import Actor, TaskEvent, created
from task_service.domain.imports import Checkpoint, IngestContext
from task_service.domain.rows import Batch, take
from task_service.domain.task import Priority, Status, Task, TaskDraft, Values, new_task
from task_service.persistence.bulk import EVENT_COLUMNS, TASK_COLUMNS, copy_text
from task_service.persistence.history import row_of

FIELDS = ("title", "description", "status", "priority", "due_date")
CONTEXT = IngestContext(UUID(int=1), UUID(int=2), Actor(UUID(int=3), "user", "request\\1"), FIELDS)
NOW = datetime(2026, 3, 31, 12, 0, 0, 123456, UTC)
# What is near a rule's edge, and what COPY or JSON would have to escape.
TEXT = st.text(
    st.one_of(st.sampled_from(" '\"\\\t\n\r\0=+-@\x7f\u2028é\N{GRINNING FACE}"), st.characters(codec="utf-8"))
)
CELLS = st.tuples(
    TEXT,
    TEXT,
    st.one_of(st.sampled_from(["", "pending", "in_progress", "In-Progress", "completed", " cancelled "]), TEXT),
    st.one_of(st.sampled_from(["", "none", "high", "URGENT"]), TEXT),
    st.one_of(st.sampled_from(["", "2026-02-28", "2026-02-29", " 2026-01-01", "20260101", "2026-W01-1"]), TEXT),
)


def batch_of(*rows: tuple[str, ...]) -> Batch:
    begin = Checkpoint(0, 2, 0)
    cells = [cell for row in rows for cell in row]
    return Batch(begin, Checkpoint(1, 2 + len(rows), len(rows)), range(2, 2 + len(rows)), cells, {})


@given(CELLS)
@example(("x" * 501, "", "", "", ""))
@example(("x", "y" * 20_001, "", "", ""))
@example(("'=1+1", "'quoted", "", "", ""))
def test_a_row_of_a_file_is_judged_like_any_other_task(cells):
    title, description, *others = cells
    try:
        expected: Any = TaskDraft(plain(title), plain(description), *others).checked()
    except Invalid as error:
        expected = [(wrong.field, wrong.reason, wrong.message) for wrong in error.violations]
    accepted, failed = take(batch_of(cells), CONTEXT)
    found: Any = [(wrong.column, wrong.code, wrong.message) for row in failed for wrong in row.errors]
    assert (accepted[0] if accepted else found) == expected


def values(title: str, description: str, status: Status, priority: Priority, due_date: Any) -> Values:
    return Values(title, description, status, priority, due_date)


VALUES = st.builds(
    values,
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.sampled_from(Status),
    st.sampled_from(Priority),
    st.one_of(st.none(), st.dates()),
)


def unescaped(cell: str) -> str | None:
    """What COPY makes of a cell."""
    if cell == "\\N":
        return None
    escapes = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "\\": "\\"}
    characters = iter(cell)
    return "".join(escapes[next(characters)] if one == "\\" else one for one in characters)


def read(text: str, columns: tuple[str, ...]) -> dict[str, str | None]:
    assert text.endswith("\n")
    return dict(zip(columns, map(unescaped, text[:-1].split("\t")), strict=True))


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_what_is_copied_is_what_is_inserted_for_any_other_task(accepted):
    text = copy_text(CONTEXT, accepted, NOW)
    for number, given_values in enumerate(accepted):
        task_row = read(text.tasks.split("\n")[number] + "\n", TASK_COLUMNS)
        event_row = read(text.events.split("\n")[number] + "\n", EVENT_COLUMNS)
        task_id, event_id = UUID(task_row["id"]), UUID(event_row["id"])
        task = new_task(given_values, task_id=task_id, owner_id=UUID(int=2), now=NOW, import_id=UUID(int=1))
        event = created(task, by=CONTEXT.actor, event_id=event_id)
        assert [task_row[name] for name in Task._fields] == [None if cell is None else str(cell) for cell in task]
        stored = dict(zip(TaskEvent._fields, row_of(event), strict=True))
        assert json.loads(event_row.pop("changes") or "") == json.loads(stored.pop("changes"))
        assert event_row == {name: str(cell) for name, cell in stored.items()}
