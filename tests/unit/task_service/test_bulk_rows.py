"""The quick way that an import's rows convert_rows makes exactly what the way of every other task makes."""

import hashlib
import io
import json
from itertools import chain
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Date, DateTime, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.kernel.errors import Invalid
from task_service.csv_dialect.text import plain
from task_service.history.domain.events import ERASABLE_FIELDS, Actor
from task_service.history.persistence.events import INSERTED_COLUMNS, SALT_BYTES, encode_event
from task_service.imports.domain.imports import Checkpoint, Defaults, IngestContext
from task_service.imports.domain.rows import Batch, ConvertedRows, Defect, convert_rows
from task_service.imports.persistence.row_encoder import EVENT_COLUMNS, TASK_COLUMNS, encode_rows
from task_service.persistence.tables import task_events, tasks
from task_service.tasks.domain.task import TaskDraft, Values, new_task
from task_service.tasks.domain.task_events import task_created
from task_service.tasks.domain.values import Priority, Status

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


def taken(batch: Batch, context: IngestContext = CONTEXT) -> ConvertedRows:
    """What became of a batch as a whole."""
    pieces = list(convert_rows(batch, context, KNOWN))
    return ConvertedRows(*(list(chain.from_iterable(of_one_kind)) for of_one_kind in zip(*pieces, strict=True)))


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
    row(external_id=" A-1 "),
    row(external_id="a\ufffdb"),
    row(external_id="a\tb"),
    row(labels="a\ufffdb"),
    row(labels="a" * 65),
    row(assignee="sonu"),
    row(assignee=" sonu "),
    row(assignee=" "),
)


@pytest.mark.parametrize("cells", ODD_ROWS, ids=range(len(ODD_ROWS)))
def test_fast_path_and_rules_agree_on_unusual_rows(cells):
    assert judged(cells, Defaults()) == expected_of(cells, Defaults())


def test_rows_of_one_batch_are_judged_as_each_is_alone():
    rows = [cells for cells in ODD_ROWS for _ in range(2)]
    accepted, failed, keyed = taken(batch_of(*rows))
    alone = [expected_of(cells, Defaults()) for cells in rows]
    assert accepted == [found for found in alone if isinstance(found, Values)]
    assert [(one.record, [error.message for error in one.errors]) for one in failed] == [
        (record, [message for _, _, message in found])
        for record, found in enumerate(alone, 1)
        if not isinstance(found, Values)
    ]
    assert [row.accepted_index for row in keyed] == [
        index for index, values in enumerate(accepted) if values.external_id
    ]
    assert [row.row_index for row in keyed] == [
        number for number, found in enumerate(alone) if isinstance(found, Values) and found.external_id
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
        ).validate()
    except Invalid as error:
        return [(wrong.field, wrong.reason, wrong.message) for wrong in error.violations]


def judged(cells: tuple[str, ...], defaults: Defaults) -> Any:
    """What an import makes of it, in the same words."""
    accepted, failed, keyed = taken(batch_of(cells), CONTEXT._replace(defaults=defaults))
    assert [(row.accepted_index, row.values) for row in keyed] == [(0, one) for one in accepted if one.external_id]
    found = [(wrong.column, wrong.code, wrong.message) for row in failed for wrong in row.errors]
    return accepted[0] if accepted else found


def test_defective_row_is_rejected():
    batch = batch_of(row())._replace(defects={0: [Defect("TOO_MANY_CELLS", 9)]})
    assert [(wrong.code, wrong.message) for wrong in taken(batch).failed[0].errors] == [
        ("TOO_MANY_CELLS", "The row has 9 cells, but the header line has 8.")
    ]


def test_undecodable_bytes_in_an_unmapped_column_name_the_cell():
    context = CONTEXT._replace(fields=("title", ""))
    batch = Batch(Checkpoint(0, 2, 0), Checkpoint(1, 3, 1), [2], ["x", "\ufffd"], {0: [Defect("UNDECODABLE", 1)]})
    [error] = taken(batch, context).failed[0].errors
    assert (error.column, error.message) == (
        "",
        "Cell 2 has bytes that are not utf-8. Set the option encoding to the encoding of the file.",
    )


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


TYPES = {
    BigInteger: "int8",
    Date: "date",
    DateTime: "timestamptz",
    JSONB: "jsonb",
    LargeBinary: "bytea",
    Text: "text",
    Uuid: "uuid",
}


def read(rows: bytes, table: Table, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """What the driver reads in rows that COPY is fed with: a count of cells, then each with its length."""
    found = []
    source = io.BytesIO(rows)
    while count := source.read(2):
        assert int.from_bytes(count) == len(columns)
        found.append({name: _loaded(table.c[name], _cell(source)) for name in columns})
    return found


def _cell(source: io.BytesIO) -> bytes | None:
    length = int.from_bytes(source.read(4), signed=True)
    return None if length == -1 else source.read(length)


def _loaded(column: Column[Any], value: bytes | None) -> Any:
    if value is None:
        return None
    array = isinstance(column.type, ARRAY)
    info = psycopg.adapters.types["text" if array else TYPES[type(column.type)]]
    oid = info.array_oid if array else info.oid
    loader = psycopg.adapters.get_loader(oid, psycopg.pq.Format.BINARY)
    assert loader is not None
    return loader(oid).load(value)


def test_an_assignee_that_nobody_is_called_is_refused():
    accepted, failed, _ = taken(batch_of(("x", "", "", "", "", "", "", "nobody")))
    assert not accepted
    assert [(wrong.column, wrong.code) for wrong in failed[0].errors] == [("assignee", "UNKNOWN_ASSIGNEE")]


def test_unknown_assignee_hides_no_other_error():
    _, failed, _ = taken(batch_of(row(status="someday", assignee="nobody")))
    assert [wrong.code for wrong in failed[0].errors] == ["UNKNOWN_STATUS", "UNKNOWN_ASSIGNEE"]


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_what_is_copied_is_what_is_inserted_for_any_other_task(accepted):
    copied = encode_rows(CONTEXT, accepted)
    task_rows, event_rows = read(copied.tasks, tasks, TASK_COLUMNS), read(copied.events, task_events, EVENT_COLUMNS)
    for given_values, task_row, event_row in zip(accepted, task_rows, event_rows, strict=True):
        task = new_task(given_values, task_id=task_row["id"], owner_id=UUID(int=2), import_id=UUID(int=1))
        event = task_created(task, by=CONTEXT.actor, event_id=event_row["id"])
        assert task_row | {"labels": tuple(task_row["labels"])} == task._asdict()
        stored = dict(zip(INSERTED_COLUMNS, encode_event(event, event_row["salt"]), strict=True))
        assert event_row == stored | {"changes": json.loads(stored["changes"])}


@given(st.lists(VALUES, min_size=2, max_size=3))
def test_each_event_has_its_own_salt(accepted):
    rows = read(encode_rows(CONTEXT, accepted).events, task_events, EVENT_COLUMNS)
    for row, given_values in zip(rows, accepted, strict=True):
        changes, text, salt = row["changes"], row["free_text"], row["salt"]
        assert json.loads(text)["title"] == ["", given_values.title]
        assert set(json.loads(text)) == {field for field, pair in changes.items() if pair is None}
        assert set(json.loads(text)) == ERASABLE_FIELDS & set(changes)
        assert (len(salt), hashlib.sha256(salt + text.encode()).digest()) == (SALT_BYTES, row["free_text_digest"])
    assert len({row["salt"] for row in rows}) == len(rows)
