"""Options for the values of an import: parsing, and the same result on the fast path and the full validation."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.errors import Invalid
from task_service.history.domain.events import Actor
from task_service.imports.domain.cells.cell_reader import CellReader
from task_service.imports.domain.cells.field_cells import plain_cell
from task_service.imports.domain.cells.row_cells import Cell, Cells
from task_service.imports.domain.imports import Checkpoint, Defaults
from task_service.imports.domain.options.row_options import OnUnknownAssignee, OnUnknownDate, OnUnknownValue, RowOptions
from task_service.imports.domain.options.value_mapping import parse_value_mapping
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.batch_columns import BatchColumns
from task_service.imports.domain.rows.conversion import convert_rows, validate_row
from task_service.imports.domain.rows.fast_path import FastRowParser
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.domain.values import errors as value_errors
from task_service.imports.domain.values.dates import DateOrder
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

NOW = datetime(2026, 12, 31, 12, tzinfo=UTC)
USERS = {"ann": UUID(int=4), "-ben": UUID(int=5)}
NAMES = st.one_of(st.sampled_from(["", "ann", " ann ", "Ann Lee", "'-ben"]), st.text())
MAPPED_TEXTS = st.one_of(st.sampled_from(["Blocked", "To-Do", "1", "\u2b50", "-"]), st.text(max_size=9))


@st.composite
def row_options(draw) -> RowOptions:
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
    return RowOptions(
        value_mapping=parsed,
        on_unknown_status=draw(rules),
        on_unknown_priority=draw(rules),
        on_unknown_date=draw(st.sampled_from(OnUnknownDate)),
        on_unknown_assignee=draw(st.sampled_from(OnUnknownAssignee)),
        date_format=date_format,
        date_order=None if date_format else draw(st.one_of(st.none(), st.sampled_from(DateOrder))),
        time_zone=draw(st.sampled_from(["", "Europe/Berlin", "America/New_York"])),
        null_values=draw(st.sampled_from([None, ("null", "-", "x")])),
        title_label_prefix=draw(st.sampled_from([None, "", "@"])),
        strip_label_colors=draw(st.sampled_from([None, True])),
    )


TEXTS = st.one_of(
    st.sampled_from(["", "x", "null", "'-", "'=1 @a", "a (green),b", "[x]", "x @home", "@home", "Won't do", "Yes"]),
    st.sampled_from(["No", "2026-11-10", "Garden", "1.21E+08", "y" * 65, "a\0b", "e\u0301", "Europe/Berlin", "[ann]"]),
)
CELLS_BY_FIELD = {
    "title": TEXTS,
    "description": TEXTS,
    "status": st.one_of(WORDS, TEXTS),
    "priority": WORDS,
    "due_date": DATES,
    "labels": TEXTS,
    "external_id": TEXTS,
    "assignee": NAMES,
    "done": st.one_of(WORDS, TEXTS, DATES),
    "completed_at": DATES,
    "resolution": st.one_of(WORDS, TEXTS),
    "status_or_label": st.one_of(WORDS, TEXTS),
    "time_zone": TEXTS,
    "append": TEXTS,
}


@st.composite
def files(draw) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """Return the columns of a file, their fields, and the cells of its rows."""
    other_fields = draw(st.lists(st.sampled_from(sorted(CELLS_BY_FIELD.keys() - {"title"})), unique=True))
    fields = ("title", *other_fields, *draw(st.lists(st.sampled_from(["labels", "append"]), max_size=2)))
    columns = tuple(draw(st.sampled_from(["Done", ""])) if field == "status" else field for field in fields)
    rows = draw(st.lists(st.tuples(*(CELLS_BY_FIELD[field] for field in fields)), min_size=1, max_size=2))
    return columns, fields, [cell for row in rows for cell in row]


def new_reader(options: RowOptions, context: IngestContext) -> CellReader:
    done_has_times = context.column_of("completed_at") is None
    return CellReader(options, context.column_of("status"), USERS, now=NOW, done_has_times=done_has_times)


@given(row_options(), files(), st.sampled_from([Defaults("in_progress"), Defaults("", UUID(int=6), ("home",))]))
def test_fast_path_and_validation_agree_on_values(options, file, defaults):
    columns, fields, cells = file
    context = CONTEXT._replace(row_options=options, columns=columns, fields=fields, defaults=defaults)
    count = len(cells) // len(fields)
    batch = Batch(Checkpoint(0, 2, 0), Checkpoint(1, 2 + count, count), range(2, 2 + count), cells, {})
    fast_parser = FastRowParser(new_reader(options, context), defaults)
    accepted, reasons, unknown_fields = [], [], []
    for raw_cells in BatchColumns(context, batch).rows():
        fast = fast_parser.values(*raw_cells)
        reader = new_reader(options, context)
        try:
            values = validate_row(Cells._make(map(plain_cell, raw_cells)), reader, defaults)
        except Invalid as error:
            reasons.append([item.reason for item in error.violations])
            assert fast is None
            continue
        assert fast in {None, values}
        accepted.append(values)
        unknown_fields += [{"done": "status"}.get(field, field) for field, _ in reader.unknown_cells]
        unknown_fields += ["external_id"] * (values.external_id == "1.21E+08")
    (converted,) = convert_rows(batch, context, USERS, now=NOW)
    assert converted.accepted == accepted
    assert [[item.code for item in row.errors] for row in converted.failed] == reasons
    assert set(converted.unknown_fields) == set(unknown_fields)


@given(row_options())
def test_stored_options_equal_the_uploaded_ones(options):
    assert RowOptions.from_json(json.loads(json.dumps(options.to_json()))) == options


class CountingReader(CellReader):
    """Reader that counts the cells that it reads."""

    def __init__(self, options: RowOptions) -> None:
        super().__init__(options)
        self.count = 0

    def status(self, cell: Cell, errors: list[Invalid]) -> Status | None:
        self.count += 1
        return super().status(cell, errors)


def test_distinct_cells_are_read_once():
    options = RowOptions(on_unknown_status=OnUnknownValue.DEFAULT, value_mapping={"status": {"m": "completed"}})
    reader = CountingReader(options)
    parser = FastRowParser(reader, Defaults())
    for _ in range(100):
        for word in ("m", "Done", "Blocked", ""):
            assert parser.values("x", "", word, "", "", "", "", "", "")
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


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("status", "pending, in_progress, completed, cancelled"),
        ("priority", "none, low, medium, high, urgent"),
        ("due_date", "a date such as 2026-12-31"),
    ],
)
def test_unknown_mapped_value_lists_the_values(name, values):
    with pytest.raises(value_errors.UnknownMappedValue) as caught:
        parse_value_mapping(json.dumps({name: {"offen": "open"}}))
    assert caught.value.message == (
        f"The value_mapping maps 'offen' to 'open', which is not a {name}. Use {values}, or null for none."
    )
