"""A batch without the cells of unused columns has the same effect as one with all cells."""

import csv
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taskmanager.imports.v1 import import_ingest_service_pb2 as pb

from import_worker.clients.translate import batch_to_proto
from import_worker.domain.errors import UnreadableFile
from import_worker.domain.lease import Checkpoint, ContinuationRows, Dialect, RecordLimits
from import_worker.domain.record_parser import BatchLimits, RecordParser
from task_service.history.domain.events import Actor
from task_service.imports.domain.errors import MalformedBatch
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.options.row_rules import find_row_rules
from task_service.imports.domain.rows.batch_columns import without_unused_columns
from task_service.imports.domain.rows.conversion import convert_rows
from task_service.imports.domain.rows.failed_rows import FailedRow
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.domain.rows.row_selection import select_rows
from task_service.imports.domain.rows.used_columns import MIN_UNUSED_COLUMNS, UsedColumns, find_used_columns
from task_service.imports.transport.translate import batch_from_proto
from task_service.tasks.domain.task import Values
from tests.unit.import_worker.parsing import chunked, parse_all

UNUSED = MIN_UNUSED_COLUMNS
FIELDS = ("", "title", *[""] * (UNUSED - 1), "append", "priority", "", "labels")
NAMES = ("Kind", "title", *[""] * (UNUSED - 1), "", "priority", "x", "labels")
OPTIONS = RowOptions(row_filter="Kind!=skip", continuation_rows="Kind=note")
CONTEXT = IngestContext(
    UUID(int=1),
    UUID(int=2),
    Actor(UUID(int=3), "user", "request"),
    FIELDS,
    columns=NAMES,
    row_options=OPTIONS,
    row_rules=find_row_rules(OPTIONS, NAMES),
    size=10**9,
)
NOTES = ContinuationRows(column=0, keys=frozenset({"note"}), max_rows=200, max_bytes=256 * 1024)
NOW = datetime(2026, 11, 29, tzinfo=UTC)
BEGIN = Checkpoint(offset=0, line=2, records=0)

CELLS = st.one_of(
    st.sampled_from(["", "", "note", "skip", "high", "x", "'=1", 'a "b"', '"a,b"', '"a\n\r""b"', "\0", "y" * 40]),
    st.text(st.sampled_from('a ,;"\n\ré\U0001f600\0'), max_size=6),
).map(str.encode)
ROWS = st.lists(st.one_of(CELLS, st.sampled_from([b"\xff", b"z\xe9"])), min_size=1, max_size=len(FIELDS) + 2).map(
    b",".join
)


def convert(
    data: bytes, context: IngestContext, dialect: Dialect, *, max_bytes: int = 512 * 1024
) -> tuple[list[Values], list[FailedRow], int, str]:
    """Return the tasks, the rejected rows and the number of orphans in a file, and the reason for its end."""
    parser = RecordParser(
        begin=BEGIN,
        dialect=dialect,
        size=len(data),
        batch_limits=BatchLimits(max_bytes=max_bytes),
        record_limits=RecordLimits(max_cell_characters=30),
    )
    accepted: list[Values] = []
    failed: list[FailedRow] = []
    orphans, end = 0, ""
    try:
        for parsed in parse_all(parser, chunked(data, 50)):
            message = pb.IngestRowsRequest.FromString(batch_to_proto(parsed).SerializeToString())
            batch = batch_from_proto(message.batch)
            batch.check(context)
            selection = select_rows(batch, context)
            steps = list(convert_rows(batch, context, {}, selection, now=NOW))
            accepted += chain.from_iterable(step.accepted for step in steps)
            failed += chain.from_iterable(step.failed for step in steps)
            orphans += selection.orphans
    except UnreadableFile as error:
        end = error.reason
    return accepted, failed, orphans, end


@given(st.lists(ROWS, max_size=8), st.sampled_from([300, 1000, 512 * 1024]))
def test_unused_columns_change_no_result(rows, max_bytes):
    """Rejected rows have all their cells, whatever the file and the size of the batches."""
    data = b"\n".join([b"task,first", *rows])
    used = find_used_columns(FIELDS, CONTEXT.row_rules)
    context = without_unused_columns(CONTEXT, ",")
    assert len(context.fields) == len(used) == 5
    dialect = Dialect(",", len(FIELDS), continuation_rows=NOTES, used_columns=used)
    found = convert(data, context, dialect, max_bytes=max_bytes)
    assert found == convert(data, CONTEXT, replace(dialect, used_columns=()))


@pytest.mark.parametrize("encoding", ["utf-16-le", "windows-1252"])
def test_records_of_other_encodings_have_all_cells(encoding):
    row = ["no title", "", *['caf\u00e9 "1"\n2'] * UNUSED, "last"]
    data = ";".join('"' + cell.replace('"', '""') + '"' for cell in row).encode(encoding)
    context = without_unused_columns(CONTEXT, ";")
    used = find_used_columns(FIELDS, CONTEXT.row_rules)
    _, (failed,), _, _ = convert(data, context, Dialect(";", len(FIELDS), encoding, used_columns=used))
    assert list(failed.cells) == [*row, *[""] * (len(FIELDS) - len(row))]


def test_large_record_is_sent_once():
    """A message has the large cell of a used column, but not its text in the record too."""
    large = b"x" * 900_000
    data = b"a,%b,c\nb,%b\n" % (large, large)
    parser = RecordParser(
        begin=BEGIN,
        dialect=Dialect(",", 40, used_columns=(1,)),
        size=len(data),
        batch_limits=BatchLimits(),
        record_limits=RecordLimits(),
    )
    batches = list(parse_all(parser, chunked(data, 65536)))
    assert [batch.records for batch in batches] == [["a,,c" + "," * 37 + "\r\n"], ["b" + "," * 39 + "\r\n"]]
    assert [batch.cells for batch in batches] == [[large.decode()]] * 2


@pytest.mark.parametrize("cell", [b"x" * 30, "\u00e9\u6f22".encode() * 6])
def test_message_stays_below_the_limit(cell):
    data = b",".join([cell] * 40) + b"\n"
    parser = RecordParser(
        begin=BEGIN,
        dialect=Dialect(",", 40, used_columns=(1, 5, 7)),
        size=100 * len(data),
        batch_limits=BatchLimits(max_bytes=10_000),
        record_limits=RecordLimits(),
    )
    sizes = [batch_to_proto(batch).ByteSize() for batch in parse_all(parser, [data * 100])]
    assert 8000 < max(sizes) <= 10_000


def test_few_unused_columns_are_sent_as_cells():
    rules = find_row_rules(OPTIONS, ["Kind"])
    assert find_used_columns(["", "title", *[""] * (UNUSED - 1)], rules) == ()
    assert find_used_columns(["", "title", *[""] * UNUSED], rules) == (0, 1)


def test_cell_over_the_limit_of_the_csv_module_is_read():
    before = csv.field_size_limit()
    used = UsedColumns((0,), 2, ",")
    assert used.all_cells("a," + "x" * 300_000, ["b"]) == ["b", "x" * 300_000]
    with pytest.raises(MalformedBatch):
        used.all_cells('a,"b', ["b"])
    assert csv.field_size_limit() == before
