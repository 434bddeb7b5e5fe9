"""Conversion of rows: the fast path and the full validation give every row the result of a task with these values."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.kernel.errors import Invalid
from task_service.csv_dialect.text import split_labels, unescape_formula
from task_service.history.domain.events import Actor
from task_service.imports.domain.imports import Checkpoint, Defaults
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.options.row_rules import find_row_rules
from task_service.imports.domain.rows.batch import Batch, Defect
from task_service.imports.domain.rows.conversion import CELLS_PER_STEP, ConvertedRows, convert_rows
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.domain.rows.row_selection import select_rows
from task_service.imports.domain.values.dates import DateParser
from task_service.imports.domain.values.synonyms import MAX_WORD_CHARACTERS, PRIORITY_WORDS, STATUS_WORDS, word_key
from task_service.tasks.domain.task import TaskDraft, Values

FIELDS = ("title", "description", "status", "priority", "due_date", "labels", "external_id", "assignee")
DEFAULTS = Defaults("completed", UUID(int=5), ("home", "garden"))
CONTEXT = IngestContext(UUID(int=1), UUID(int=2), Actor(UUID(int=3), "user", "request\\1"), FIELDS)
ASSIGNEES = {"sonu": UUID(int=4)}
# Characters at the limits of the rules, and those that COPY or JSON must escape.
TEXT = st.text(
    st.one_of(
        st.sampled_from(" '\"\\\t\n\r\0=+-@\x7f\u2028\x85\u200b\u3164\ufe0fé\N{GRINNING FACE}e\u0301\u0327\u0958"),
        st.characters(codec="utf-8"),
    )
)
INVISIBLE = (
    "\xad\u034f\u061c\u115f\u17b5\u180e\u200b\u200f\u202e\u2060\u2800\u3164\ufe0f\ufeff\uffa0\ufffa\U0001d17a\U000e0041"
)
CELLS = st.tuples(
    TEXT,
    TEXT,
    st.one_of(
        st.sampled_from(
            ["", "pending", "in_progress", "In-Progress", "completed", " cancelled ", "To Do", "'-", "TRUE"]
        ),
        TEXT,
    ),
    st.one_of(st.sampled_from(["", "none", "high", "URGENT", "Highest", "P3", "1"]), TEXT),
    st.one_of(
        st.sampled_from(["", "2026-02-28", "2026-02-29", " 2026-01-01", "20260101", "2026-W01-1", "1/2", "1/2/2026"]),
        TEXT,
    ),
    st.one_of(st.sampled_from(["", "home", "home, garden,home", " , "]), TEXT),
    st.one_of(st.sampled_from(["", "A-1", " A-1 "]), TEXT),
    st.sampled_from(["", "sonu", " sonu "]),
)

NOW = datetime(2026, 12, 31, 12, tzinfo=UTC)


def batch_of(*rows: tuple[str, ...]) -> Batch:
    begin = Checkpoint(0, 2, 0)
    cells = [cell for row in rows for cell in row]
    return Batch(begin, Checkpoint(1, 2 + len(rows), len(rows)), range(2, 2 + len(rows)), cells, {})


def convert(batch: Batch, context: IngestContext = CONTEXT) -> ConvertedRows:
    """Convert a batch, and join the steps."""
    steps = list(convert_rows(batch, context, ASSIGNEES, now=NOW))
    return ConvertedRows(
        **{
            field.name: [item for step in steps for item in getattr(step, field.name)]
            for field in fields(ConvertedRows)
        }
    )


def row(**cells: str) -> tuple[str, ...]:
    """Return a usual row with some other cells."""
    cells_by_field = {
        "title": "x",
        "description": "y",
        "status": "pending",
        "priority": "none",
        "due_date": "2026-03-31",
    }
    return tuple((cells_by_field | cells).get(field, "") for field in FIELDS)


# Each row has one unusual cell, for one condition of the fast path.
UNUSUAL_ROWS = (
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
    row(title="e\u0301", description="e\u0301", labels="e\u0301,\xe9", external_id="e\u0301"),
    row(external_id="e\u0301" * 200),
    row(external_id="e\u0301" * 201),
    row(external_id="\u0958" * 101),
    row(external_id="\u0301\u0327" * 10_000),
    row(labels="e\u0301" * 64),
    row(labels="\u0958" * 33),
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
    row(due_date="'-1"),
    row(due_date=" 2026-03-31 "),
    row(status="someday"),
    row(status=" In-Progress "),
    row(status="Won\u2019t do"),
    row(status="\u2705 Done"),
    row(status="\u2705"),
    row(status="TRUE"),
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


@pytest.mark.parametrize("cells", UNUSUAL_ROWS, ids=range(len(UNUSUAL_ROWS)))
def test_fast_path_and_validation_agree_on_unusual_rows(cells):
    assert result_of(cells, Defaults()) == expected_of(cells, Defaults())


def test_rows_of_a_batch_do_not_affect_each_other():
    rows = [cells for cells in UNUSUAL_ROWS for _ in range(2)]
    converted = convert(batch_of(*rows))
    accepted, failed, keyed = converted.accepted, converted.failed, converted.keyed
    separate = [expected_of(cells, Defaults()) for cells in rows]
    assert accepted == [found for found in separate if isinstance(found, Values)]
    assert [(item.record, [generic_reason(error.code) for error in item.errors]) for item in failed] == [
        (record, [code for _, code in found])
        for record, found in enumerate(separate, 1)
        if not isinstance(found, Values)
    ]
    assert [row.accepted_index for row in keyed] == [
        index for index, values in enumerate(accepted) if values.external_id
    ]
    assert [row.row_index for row in keyed] == [
        index for index, found in enumerate(separate) if isinstance(found, Values) and found.external_id
    ]


@given(CELLS, st.sampled_from([Defaults(), DEFAULTS]))
@example(("plain", "", "", "", "", "", "", ""), DEFAULTS)
def test_row_is_validated_like_any_other_task(cells, defaults):
    assert result_of(cells, defaults) == expected_of(cells, defaults)


def expected_of(cells: tuple[str, ...], defaults: Defaults) -> Any:
    """Return the values of a task with these cells, or all violations."""
    title, description, status, priority, due_date, labels, external_id, assignee = cells
    given_labels = split_labels(unescape_formula(labels)) or tuple(defaults.labels)
    assignee_id = str(UUID(int=4)) if unescape_formula(assignee).strip() else str(defaults.assignee_id or "")
    try:
        return TaskDraft(
            unescape_formula(title),
            unescape_formula(description),
            own_word(status, STATUS_WORDS) or defaults.status,
            own_word(priority, PRIORITY_WORDS),
            own_date(due_date),
            unescape_formula(external_id),
            assignee_id,
            given_labels,
        ).validate()
    except Invalid as error:
        return [(violation.field, generic_reason(violation.reason)) for violation in error.violations]


def generic_reason(reason: str) -> str:
    """Return the API's reason for a date that only a file can have."""
    return "MALFORMED_DATE" if reason in {"AMBIGUOUS_DATE", "DATE_WITHOUT_YEAR"} else reason


def own_date(cell: str) -> str:
    """Return the API's form of a date; the cell itself if it is no date."""
    text = unescape_formula(cell).strip()
    try:
        return str(DateParser().parse(text))
    except Invalid:
        return text


def own_word(cell: str, words: Mapping[str, str]) -> str:
    """Return the API's word for a word of another tool; the word itself if no tool has it."""
    word = unescape_formula(cell).strip()
    return words.get(word_key(word), word)


def result_of(cells: tuple[str, ...], defaults: Defaults) -> Any:
    """Return the values that an import gives the row, or all violations."""
    converted = convert(batch_of(cells), CONTEXT._replace(defaults=defaults))
    accepted = converted.accepted
    keyed = [(row.accepted_index, row.values) for row in converted.keyed]
    assert keyed == [(0, item) for item in accepted if item.external_id]
    found = [(violation.column, generic_reason(violation.code)) for row in converted.failed for violation in row.errors]
    return accepted[0] if accepted else found


def test_defective_row_is_rejected():
    batch = batch_of(row())._replace(defects={0: [Defect("TOO_MANY_CELLS", 9)]})
    assert [(violation.code, violation.message) for violation in convert(batch).failed[0].errors] == [
        ("TOO_MANY_CELLS", "The row has 9 cells, but the header line has 8.")
    ]


def test_undecodable_bytes_in_an_unmapped_column_name_the_cell():
    context = CONTEXT._replace(fields=("title", ""))
    batch = Batch(Checkpoint(0, 2, 0), Checkpoint(1, 3, 1), [2], ["x", "\ufffd"], {0: [Defect("UNDECODABLE", 1)]})
    [error] = convert(batch, context).failed[0].errors
    assert (error.column, error.message) == (
        "",
        "Cell 2 has bytes that are not utf-8. Set the option encoding to the encoding of the file.",
    )


def test_unknown_assignee_is_refused():
    converted = convert(batch_of(("x", "", "", "", "", "", "", "nobody")))
    assert not converted.accepted
    errors = converted.failed[0].errors
    assert [(violation.column, violation.code) for violation in errors] == [("assignee", "UNKNOWN_ASSIGNEE")]


def test_unknown_assignee_hides_no_other_error():
    converted = convert(batch_of(row(status="someday", assignee="nobody")))
    assert [violation.code for violation in converted.failed[0].errors] == ["UNKNOWN_STATUS", "UNKNOWN_ASSIGNEE"]


def test_steps_of_wide_rows_have_fewer_rows():
    """The event loop serves other calls between two steps."""
    width = CELLS_PER_STEP // 10
    context = CONTEXT._replace(fields=("title", *["append"] * (width - 1)), columns=("x",) * width)
    batch = batch_of(*[("x", *[""] * (width - 1))] * 30)
    steps = list(convert_rows(batch, context, ASSIGNEES, now=NOW))
    assert [len(step.accepted) for step in steps] == [10, 10, 10]


def test_rows_that_continue_a_task_are_read_in_steps():
    names, options = ("title", "kind"), RowOptions(continuation_rows="kind=note")
    context = CONTEXT._replace(
        fields=("title", ""), columns=names, row_options=options, row_rules=find_row_rules(options, names)
    )
    batch = batch_of(*[("x", "task"), *[("x", "note")] * 49] * 3)
    steps = list(convert_rows(batch, context, ASSIGNEES, select_rows(batch, context), now=NOW))
    assert [len(step.accepted) for step in steps] == [0, 0, 0, 3]
    assert steps[-1].accepted[2].description == "\n\n".join(["x"] * 49)


def test_word_that_unicode_expands_is_cut():
    """NFKC makes 18 characters of this one, and each character of a word takes time."""
    assert len(word_key("\ufdfa" * MAX_WORD_CHARACTERS)) <= MAX_WORD_CHARACTERS
