"""Options for the values of an import: parsing, and the same result on the fast path and the full validation."""

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.errors import Invalid
from task_service.csv_dialect.text import unescape_formula
from task_service.history.domain.events import Actor
from task_service.imports.domain import value_errors
from task_service.imports.domain.batch import Batch, Cell, Cells
from task_service.imports.domain.cell_reader import CellReader
from task_service.imports.domain.dates import DateOrder
from task_service.imports.domain.fast_path import FastRowParser
from task_service.imports.domain.imports import Checkpoint, Defaults, IngestContext
from task_service.imports.domain.rows import convert_rows, validate_row
from task_service.imports.domain.value_options import (
    OnUnknownAssignee,
    OnUnknownDate,
    OnUnknownValue,
    ValueOptions,
    parse_value_mapping,
)
from task_service.tasks.domain.values import Priority, Status

FIELDS = Cells._fields
CONTEXT = IngestContext(UUID(int=1), UUID(int=2), Actor(UUID(int=3), "user", "request"), FIELDS, columns=FIELDS)
WORDS = st.one_of(
    st.sampled_from(["", "Blocked", "blocked ", "To do", "done", "1", "P1", "TRUE", "\u2b50", "'-"]), st.text()
)
DATES = st.one_of(
    st.sampled_from(["", "1/5/2027", "12/31/2026", "Dec 31", "Dec 31, 2026 9:00 AM", "2026-12-31T23:30:00Z", "46387"]),
    st.dates().map(str),
    WORDS,
)
USERS = {"ann": UUID(int=4), "-ben": UUID(int=5)}
NAMES = st.one_of(st.sampled_from(["", "ann", " ann ", "Ann Lee", "'-ben"]), st.text())
MAPPED_TEXTS = st.one_of(st.sampled_from(["Blocked", "To-Do", "1", "\u2b50", "-"]), st.text(max_size=9))


@st.composite
def value_options(draw) -> ValueOptions:
    """Options with a mapping of at least the form that a client may send."""
    mapping: dict[str, dict[str, str | None]] = {}
    days = ("2026-12-31", "2027-01-01")
    for field, values in (("status", Status), ("priority", Priority), ("due_date", days)):
        texts = draw(st.dictionaries(MAPPED_TEXTS, st.one_of(st.none(), st.sampled_from(list(values))), max_size=4))
        mapping[field] = texts
    try:
        parsed = parse_value_mapping(json.dumps(mapping))
    except Invalid:
        parsed = {}
    rules = st.sampled_from(OnUnknownValue)
    date_format = draw(st.sampled_from(["", "DD/MM/YYYY", "MMM D, YYYY h:mm A"]))
    return ValueOptions(
        value_mapping=parsed,
        on_unknown_status=draw(rules),
        on_unknown_priority=draw(rules),
        on_unknown_date=draw(st.sampled_from(OnUnknownDate)),
        on_unknown_assignee=draw(st.sampled_from(OnUnknownAssignee)),
        date_format=date_format,
        date_order=None if date_format else draw(st.one_of(st.none(), st.sampled_from(DateOrder))),
        time_zone=draw(st.sampled_from(["", "Europe/Berlin", "America/New_York"])),
    )


@given(value_options(), st.tuples(WORDS, WORDS, DATES, NAMES), st.booleans())
def test_fast_path_and_validation_agree_on_values(options, cells, asks_for_truth):
    status, priority, due_date, assignee = cells
    raw_cells = ("x", "", status, priority, due_date, "", "", assignee)
    columns = tuple("Done" if asks_for_truth and field == "status" else field for field in FIELDS)
    context = CONTEXT._replace(value_options=options, columns=columns)
    reader, defaults = CellReader(options, context.column_of("status"), USERS), Defaults("in_progress")
    fast = FastRowParser(CellReader(options, context.column_of("status"), USERS), defaults).values(*raw_cells)
    batch = Batch(Checkpoint(0, 2, 0), Checkpoint(1, 3, 1), [2], raw_cells, {})
    (converted,) = convert_rows(batch, context._replace(defaults=defaults), USERS)
    plain_cells = Cells(*raw_cells)._replace(
        status=unescape_formula(status),
        priority=unescape_formula(priority),
        due_date=unescape_formula(due_date),
        assignee=unescape_formula(assignee),
    )
    try:
        expected, reasons = [validate_row(plain_cells, reader, defaults)], []
    except Invalid as error:
        expected, reasons = [], [item.reason for item in error.violations]
    assert ([fast] if fast else []) == expected == converted.accepted
    assert [item.code for row in converted.failed for item in row.errors] == reasons
    assert set(converted.unknown_fields) == {field for field, _ in reader.unknown_cells if expected}


@given(value_options())
def test_stored_options_equal_the_uploaded_ones(options):
    assert ValueOptions.from_json(json.loads(json.dumps(options.to_json()))) == options


class CountingReader(CellReader):
    """Reader that counts the cells that it reads."""

    def __init__(self, options: ValueOptions) -> None:
        super().__init__(options)
        self.count = 0

    def status(self, cell: Cell, errors: list[Invalid]) -> Status | None:
        self.count += 1
        return super().status(cell, errors)


def test_distinct_cells_are_read_once():
    options = ValueOptions(on_unknown_status=OnUnknownValue.DEFAULT, value_mapping={"status": {"m": "completed"}})
    reader = CountingReader(options)
    parser = FastRowParser(reader, Defaults())
    for _ in range(100):
        for word in ("m", "Done", "Blocked", ""):
            assert parser.values("x", "", word, "", "", "", "", "")
    assert reader.count == 4


def test_value_mapping_is_parsed():
    text = '{"status": {" Zu-erledigen ": "In Progress", "-": null, "?": ""}, "due_date": {"bald": "2026-12-31"}}'
    assert parse_value_mapping(text) == {
        "status": {"zu_erledigen": "in_progress", "_": "", "?": ""},
        "due_date": {"bald": "2026-12-31"},
    }
    assert parse_value_mapping(" ") == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", value_errors.MalformedValueMapping),
        ("[" * 60_000, value_errors.MalformedValueMapping),
        ("[]", value_errors.MalformedValueMapping),
        ('"status"', value_errors.MalformedValueMapping),
        ('{"status": "pending"}', value_errors.MalformedValueMapping),
        ('{"status": {"": "pending"}}', value_errors.MalformedValueMapping),
        ('{"status": {"\\u0000": "pending"}}', value_errors.MalformedValueMapping),
        ('{"status": {"\\ud800": "pending"}}', value_errors.MalformedValueMapping),
        (f'{{"status": {{"{"x" * 201}": "pending"}}}}', value_errors.MalformedValueMapping),
        (" " * 65_537 + "{}", value_errors.MalformedValueMapping),
        ('{"labels": {}}', value_errors.UnknownValueField),
        ('{"\\ud800": {}}', value_errors.UnknownValueField),
        ('{"status": {"a": "high"}}', value_errors.UnknownMappedValue),
        ('{"status": {"a": "To do"}}', value_errors.UnknownMappedValue),
        ('{"status": {"a": 1}}', value_errors.UnknownMappedValue),
        ('{"status": {"a": ["pending"]}}', value_errors.UnknownMappedValue),
        ('{"status": {"a": "\\ud800"}}', value_errors.UnknownMappedValue),
        ('{"priority": {"a": "done"}}', value_errors.UnknownMappedValue),
        ('{"due_date": {"a": "2026-02-30"}}', value_errors.UnknownMappedValue),
        ('{"status": {"a": "pending", "a": "completed"}}', value_errors.DuplicateMappedText),
        ('{"status": {"a b": "pending", "A-B": "pending"}}', value_errors.DuplicateMappedText),
        ('{"status": {}, "status": {}}', value_errors.DuplicateMappedText),
    ],
)
def test_invalid_value_mapping_is_refused(text, error):
    with pytest.raises(error) as caught:
        parse_value_mapping(text)
    assert caught.value.field == "value_mapping"
    assert caught.value.message.encode()
