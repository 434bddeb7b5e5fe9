"""Rows that continue a task stay in the batch of that task."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from import_worker.clients.translate import batch_to_proto
from import_worker.domain.batch import Batch, Defect, DefectKind
from import_worker.domain.continuation import text_key
from import_worker.domain.lease import Checkpoint, ContinuationRows, Dialect, RecordLimits
from import_worker.domain.record_parser import BatchLimits, RecordParser
from task_service.imports.domain.options.value_mapping import mapping_key
from tests.unit.import_worker.parsing import chunked, parse_all

BEGIN = Checkpoint(offset=0, line=2, records=0)
RULE = ContinuationRows(column=0, keys=frozenset({"note"}), max_rows=200, max_bytes=256 * 1024)


def parse(data: bytes, *, begin=BEGIN, rule=RULE, chunk=7, **limits) -> list[Batch]:
    parser = RecordParser(
        begin=begin,
        dialect=Dialect(delimiter=",", columns=2, continuation_rows=rule),
        size=len(data),
        batch_limits=BatchLimits(**limits),
        record_limits=RecordLimits(),
    )
    return list(parse_all(parser, chunked(data[begin.offset :], chunk)))


def second_cells(batches: list[Batch]) -> list[str]:
    """Return the second cells of each batch, joined."""
    return ["".join(batch.cells[1::2]) for batch in batches]


@pytest.mark.parametrize(
    ("rows", "max_rows", "expected"),
    [
        ("AbB", 2, ["Ab", "B"]),
        ("ABb", 2, ["A", "Bb"]),
        ("ABbbb", 2, ["A", "Bbbb"]),
        ("ABbC", 3, ["ABb", "C"]),
        ("Abbbb", 1, ["Abbbb"]),
        ("abcA", 2, ["ab", "cA"]),
        ("ABCcdDe", 3, ["AB", "Ccd", "De"]),
    ],
)
def test_batch_does_not_end_before_continuation_row(rows, max_rows, expected):
    """A capital letter is a task, the others continue it. Rows without a task above may begin a batch."""
    data = "".join(f"{'task' if row.isupper() else ' Note'},{row}\n,\n" for row in rows).encode()
    batches = parse(data, max_rows=max_rows)
    assert second_cells(batches) == expected
    assert batches[0].begin == BEGIN
    assert all(batch.end == following.begin for batch, following in pairwise(batches))
    assert [batch.end.records - batch.begin.records for batch in batches] == list(map(len, expected))
    for batch, following in pairwise(batches):
        assert parse(data, begin=batch.end, max_rows=max_rows)[0] == following


def test_batch_ends_beyond_the_limits_of_a_task():
    """Only then a batch begins with a row that continues a task."""
    data = b"task,A\n" + b"note,b\n" * 9
    assert second_cells(parse(data, rule=RULE_OF_3_ROWS, max_rows=2)) == ["Abbb", "bb", "bb", "bb"]
    assert second_cells(parse(data, rule=RULE_OF_30_BYTES, max_rows=2)) == ["Abbbb", "bb", "bb", "b"]


RULE_OF_3_ROWS = ContinuationRows(column=0, keys=frozenset({"note"}), max_rows=3, max_bytes=1000)
RULE_OF_30_BYTES = ContinuationRows(column=0, keys=frozenset({"note"}), max_rows=200, max_bytes=30)


def test_full_batch_ends_before_the_continued_task():
    """The message stays below the limit, and the rows of the next batch keep their defects."""
    row = b"x" * 90
    data = b"task,%b\n" % row * 2 + b"task,A,s\n" + b"note,%b\xff\n" % row * 5 + b"task,B\n"
    first, *others = batches = parse(data, max_bytes=500)
    assert [batch.cells[1][0] for batch in batches] == ["x", "A", "B"]
    assert batch_to_proto(first).ByteSize() <= 500
    assert first.defects == []
    assert others[0].lines == [4, 5, 6, 7, 8, 9]
    assert others[0].defects == [
        Defect(row=0, kind=DefectKind.TOO_MANY_CELLS, cell=3, surplus="s"),
        *(Defect(row=index, kind=DefectKind.UNDECODABLE, cell=1) for index in range(1, 6)),
    ]


def test_largest_task_fits_into_a_message():
    """A row of 1 MiB and the rows that continue it stay below the 4 MiB of a gRPC message."""
    notes = b"note,%b\n" % (b"\xff" * 1000) * 300
    batches = parse(b"task,first\ntask,%b\n" % (b"\xff" * (1024 * 1024 - 6)) + notes, chunk=65536)
    assert [len(batch.lines) for batch in batches] == [1, 201, 100]
    assert max(batch_to_proto(batch).ByteSize() for batch in batches) < 4 * 1024 * 1024


@given(
    st.lists(st.sampled_from(["task,A", "note,b", " NOTE ,b", ",", ""]), max_size=30),
    st.integers(1, 40),
    st.builds(BatchLimits, max_rows=st.integers(1, 6), max_bytes=st.integers(100, 400)),
)
def test_any_checkpoint_gives_the_same_batches(rows, chunk, limits):
    data = "".join(f"{row}\n" for row in rows).encode()
    options = {"chunk": chunk, "max_rows": limits.max_rows, "max_bytes": limits.max_bytes}
    batches = parse(data, rule=RULE_OF_3_ROWS, **options)
    assert "".join(second_cells(batches)) == "".join(row[-1] for row in rows if row.strip(","))
    for index, batch in enumerate(batches):
        assert parse(data, begin=batch.end, rule=RULE_OF_3_ROWS, **options) == batches[index + 1 :]


@given(st.text(st.one_of(st.sampled_from(" -_\tİß\u0345\u017fe\u0301"), st.characters(codec="utf-8"))))
def test_key_of_a_cell_is_that_of_task_service(cell):
    assert text_key(cell) == mapping_key(cell)
