"""The quick way that an import's rows take makes exactly what the way of every other task makes."""

import hashlib
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.kernel import Invalid
from task_service.domain.csv_text import plain
from task_service.domain.history import FREE_TEXT, Actor, created
from task_service.domain.imports import Checkpoint, Defaults, IngestContext
from task_service.domain.rows import Batch, Defect, take
from task_service.domain.task import TaskDraft, Values, new_task
from task_service.domain.values import Priority, Status
from task_service.persistence.bulk import EVENT_COLUMNS, TASK_COLUMNS, copy_text
from task_service.persistence.history import SALT_BYTES, STORED, row_of

FIELDS = ("title", "description", "status", "priority", "due_date", "labels", "external_id", "assignee")
DEFAULTS = Defaults("completed", UUID(int=5), ("home", "garden"))
CONTEXT = IngestContext(UUID(int=1), UUID(int=2), Actor(UUID(int=3), "user", "request\\1"), FIELDS)
KNOWN = {"sonu": UUID(int=4)}
# What is near a rule's edge, and what COPY or JSON would have to escape.
TEXT = st.text(
    st.one_of(
        st.sampled_from(" '\"\\\t\n\r\0=+-@\x7f\u2028\x85\u200b\u3164\ufe0fé\N{GRINNING FACE}"),
        st.characters(codec="utf-8"),
    )
)
INVISIBLE = (
    "\xad\u034f\u061c\u115f\u17b5\u180e\u200b\u200f\u202e\u2060\u2800\u3164\ufe0f\ufeff\uffa0\ufffa\U0001d17a\U000e0041"
)
CELLS = st.tuples(
    TEXT,
    TEXT,
    st.one_of(st.sampled_from(["", "pending", "in_progress", "In-Progress", "completed", " cancelled "]), TEXT),
    st.one_of(st.sampled_from(["", "none", "high", "URGENT"]), TEXT),
    st.one_of(st.sampled_from(["", "2026-02-28", "2026-02-29", " 2026-01-01", "20260101", "2026-W01-1"]), TEXT),
    st.one_of(st.sampled_from(["", "home", "home, garden,home", " , "]), TEXT),
    st.one_of(st.sampled_from(["", "A-1", " A-1 "]), TEXT),
    st.sampled_from(["", "sonu", " sonu "]),
)


def batch_of(*rows: tuple[str, ...]) -> Batch:
    begin = Checkpoint(0, 2, 0)
    cells = [cell for row in rows for cell in row]
    return Batch(begin, Checkpoint(1, 2 + len(rows), len(rows)), range(2, 2 + len(rows)), cells, {})


def row(**cells: str) -> tuple[str, ...]:
    """A row that is as nearly every row is, but for what is given."""
    usual = {"title": "x", "description": "y", "status": "pending", "priority": "none", "due_date": "2026-03-31"}
    return tuple((usual | cells).get(field, "") for field in FIELDS)


# Each is odd in one thing only: it stands for the one condition that keeps the quick way from taking it.
ODD_ROWS = (
    row(title=""),
    row(title=" \t"),
    row(title=" padded "),
    row(title="wide\u3000space"),
    row(description="two\nlines,\ttwo cells"),
    row(title="'=1+1"),
    row(title="'-"),
    row(title="x" * 501),
    row(title="a\nb"),
    row(title="a\x7fb"),
    row(title="a\0b"),
    row(title="a\ufffdb"),
    *(row(title=f"a{character}b") for character in "\r\v\f\x85\u2028\u2029"),
    *(row(title=character) for character in INVISIBLE),
    row(title=INVISIBLE),
    row(title=f"{INVISIBLE}a"),
    row(title="\u0301"),
    row(title="任"),
    row(description="'=1+1"),
    row(description="'\t"),
    row(description="'@"),
    row(description="'\uff1d1"),
    row(title="'\uff20a"),
    row(labels="'\uff0d1"),
    row(description="y" * 20_001),
    row(description="a\0b"),
    row(description="a\x1bb"),
    row(description="a\ufffdb"),
    row(due_date="soon"),
    row(due_date="2026-02-29"),
    row(due_date="20260331"),
    row(due_date="2026-W14-2"),
    row(due_date="2026/03/31"),
    row(due_date=" 2026-03-31 "),
    row(status="someday"),
    row(status=" In-Progress "),
    row(priority="most"),
    row(priority=" URGENT "),
    row(status="'\tpending"),
    row(priority="'\thigh"),
    row(due_date="'\t2026-03-31"),
    row(labels="home,garden"),
    row(labels="'-1"),
    row(labels=" "),
    row(external_id="A-1"),
    row(external_id="'=1"),
    row(external_id="x" * 201),
    row(assignee="sonu"),
)


@pytest.mark.parametrize("cells", ODD_ROWS, ids=range(len(ODD_ROWS)))
def test_a_row_that_is_odd_in_one_thing_is_judged_like_any_other_task(cells):
    assert judged(cells, Defaults()) == expected_of(cells, Defaults())


def test_rows_of_one_batch_are_judged_as_each_is_alone():
    rows = [cells for cells in ODD_ROWS for _ in range(2)]
    [(accepted, failed, _)] = take(batch_of(*rows), CONTEXT, KNOWN)
    alone = [expected_of(cells, Defaults()) for cells in rows]
    assert accepted == [found for found in alone if isinstance(found, Values)]
    assert [[error.message for error in one.errors] for one in failed] == [
        [message for _, _, message in found] for found in alone if not isinstance(found, Values)
    ]


@given(CELLS, st.sampled_from([Defaults(), DEFAULTS]))
@example(("plain", "", "", "", "", "", "", ""), DEFAULTS)
def test_a_row_of_a_file_is_judged_like_any_other_task(cells, defaults):
    assert judged(cells, defaults) == expected_of(cells, defaults)


def expected_of(cells: tuple[str, ...], defaults: Defaults) -> Any:
    """The values that the rules for any task make of it, or all that is wrong with it."""
    title, description, status, priority, due_date, labels, external_id, assignee = cells
    given_labels = tuple(label for label in plain(labels).split(",") if label.strip()) or tuple(defaults.labels)
    assignee_id = str(UUID(int=4)) if plain(assignee).strip() else str(defaults.assignee_id or "")
    status = plain(status).strip() or defaults.status
    try:
        return TaskDraft(
            plain(title),
            plain(description),
            status,
            plain(priority),
            plain(due_date),
            plain(external_id),
            assignee_id,
            given_labels,
        ).checked()
    except Invalid as error:
        return [(wrong.field, wrong.reason, wrong.message) for wrong in error.violations]


def judged(cells: tuple[str, ...], defaults: Defaults) -> Any:
    """What an import makes of it, in the same words."""
    [(accepted, failed, keyed)] = take(batch_of(cells), CONTEXT._replace(defaults=defaults), KNOWN)
    assert [(row.place, row.values) for row in keyed] == [(0, one) for one in accepted if one.external_id]
    found = [(wrong.column, wrong.code, wrong.message) for row in failed for wrong in row.errors]
    return accepted[0] if accepted else found


def test_a_row_that_the_parser_found_wrong_is_wrong_however_right_it_looks():
    batch = batch_of(row())._replace(defects={0: [Defect("TOO_MANY_CELLS", 9)]})
    [outcome] = take(batch, CONTEXT, KNOWN)
    assert [(wrong.code, wrong.message) for wrong in outcome.failed[0].errors] == [
        ("TOO_MANY_CELLS", "The row has 9 cells, the header line 8.")
    ]


PRINTABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"], exclude_characters=","), min_size=1
)
VALUES = st.builds(
    Values,
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.sampled_from(Status),
    st.sampled_from(Priority),
    st.one_of(st.none(), st.dates()),
    st.lists(PRINTABLE, max_size=3).map(tuple),
    st.one_of(st.just(""), PRINTABLE),
    st.one_of(st.none(), st.uuids()),
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


def as_copied(cell: object) -> str | None:
    """A value of a row as COPY writes it."""
    match cell:
        case None:
            return None
        case bytes():
            return f"\\x{cell.hex()}"
        case _:
            return str(cell)


def test_an_assignee_that_nobody_is_called_is_refused():
    [(accepted, failed, _)] = take(batch_of(("x", "", "", "", "", "", "", "nobody")), CONTEXT, KNOWN)
    assert not accepted
    assert [(wrong.column, wrong.code) for wrong in failed[0].errors] == [("assignee", "UNKNOWN_ASSIGNEE")]


def test_an_assignee_that_nobody_is_called_hides_nothing_else_that_is_wrong():
    [(_, failed, _)] = take(batch_of(row(status="someday", assignee="nobody")), CONTEXT, KNOWN)
    assert [wrong.code for wrong in failed[0].errors] == ["UNKNOWN_STATUS", "UNKNOWN_ASSIGNEE"]


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_what_is_copied_is_what_is_inserted_for_any_other_task(accepted):
    text = copy_text(CONTEXT, accepted)
    for number, given_values in enumerate(accepted):
        task_row = read(text.tasks.split("\n")[number] + "\n", TASK_COLUMNS)
        event_row = read(text.events.split("\n")[number] + "\n", EVENT_COLUMNS)
        task_id, event_id = UUID(task_row["id"]), UUID(event_row["id"])
        task = new_task(given_values, task_id=task_id, owner_id=UUID(int=2), import_id=UUID(int=1))
        event = created(task, by=CONTEXT.actor, event_id=event_id)
        # Quoted elements of an array literal are written as JSON's strings are.
        assert tuple(json.loads(f"[{(task_row.pop('labels') or '')[1:-1]}]")) == task.labels
        expected = {
            name: None if cell is None else str(cell) for name, cell in task._asdict().items() if name != "labels"
        }
        assert task_row == expected
        salt = bytes.fromhex((event_row["salt"] or "").removeprefix("\\x"))
        stored = dict(zip(STORED, row_of(event, salt), strict=True))
        assert json.loads(event_row.pop("changes") or "") == json.loads(stored.pop("changes"))
        assert event_row == {name: as_copied(cell) for name, cell in stored.items()}


@given(st.lists(VALUES, min_size=2, max_size=3))
def test_each_event_of_a_batch_holds_its_free_text_apart_under_a_salt_of_its_own(accepted):
    rows = [read(line + "\n", EVENT_COLUMNS) for line in copy_text(CONTEXT, accepted).events.split("\n")[:-1]]
    for row, given_values in zip(rows, accepted, strict=True):
        changes, text = json.loads(row["changes"] or ""), row["free_text"] or ""
        assert json.loads(text)["title"] == ["", given_values.title]
        assert set(json.loads(text)) == {field for field, pair in changes.items() if pair is None}
        assert set(json.loads(text)) == FREE_TEXT & set(changes)
        salt, digest = [bytes.fromhex((row[name] or "").removeprefix("\\x")) for name in ("salt", "free_text_digest")]
        assert (len(salt), hashlib.sha256(salt + text.encode()).digest()) == (SALT_BYTES, digest)
    assert len({row["salt"] for row in rows}) == len(rows)
