"""Properties of the record parser: files of any CSV writer, any chunks, and any checkpoint to start from."""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from import_worker.domain.batch import Batch
from import_worker.domain.errors import UnreadableFile
from import_worker.domain.lease import Checkpoint, Dialect, RecordLimits
from import_worker.domain.record_parser import BatchLimits, RecordParser
from tests.unit.import_worker.parsing import parse_all

HEADER = b"a,b\n"
BEGIN = Checkpoint(offset=len(HEADER), line=2, records=0)

cells = st.text(
    alphabet=st.one_of(st.sampled_from('a ,;\t|"\n\r\0é漢😀\u2028\x0b\x1c\ufeff'), st.characters(codec="utf-8"))
)


@st.composite
def written_files(draw):
    columns = draw(st.integers(1, 4))
    row = st.lists(cells, min_size=columns, max_size=columns)
    rows = draw(st.lists(row.filter(lambda row: any(map(str.strip, row))), max_size=8))  # others are blank lines
    ending = draw(st.sampled_from(["\r\n", "\n", "\r"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    delimiter = draw(st.sampled_from(",;\t|"))
    if quoting == csv.QUOTE_MINIMAL and ending != "\r\n":
        # Python's writer leaves a line break unquoted that is not its own line ending.
        rows = [[cell.replace("\r", " ").replace("\n", " ") for cell in row] for row in rows]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=ending, quoting=quoting, delimiter=delimiter)
    for row in rows:
        writer.writerow(row)
        text.write(ending * draw(st.integers(0, 2)))  # blank lines
    data = text.getvalue().encode()
    if draw(st.booleans()) and rows:
        data = data.rstrip(b"\r\n")
    return rows, data, Dialect(delimiter=delimiter, columns=columns)


def split_at_sizes(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


def parse(data: bytes, *, begin: Checkpoint, dialect: Dialect, sizes: list[int], limits: BatchLimits) -> list[Batch]:
    parser = RecordParser(
        begin=begin, dialect=dialect, size=len(data), batch_limits=limits, record_limits=RecordLimits()
    )
    return list(parse_all(parser, split_at_sizes(data[begin.offset :], sizes)))


def to_rows(batches: list[Batch], columns: int) -> list[list[str]]:
    flat = [cell for batch in batches for cell in batch.cells]
    return [flat[index : index + columns] for index in range(0, len(flat), columns)]


small_limits = st.builds(BatchLimits, max_rows=st.integers(1, 4), max_bytes=st.integers(1, 300))
chunk_sizes = st.lists(st.integers(0, 20), max_size=20)


@given(written_files(), chunk_sizes, small_limits)
def test_written_rows_are_parsed_unchanged(file, sizes, limits):
    """Rows are parsed as they were written, for any division of the file into chunks."""
    rows, data, dialect = file
    batches = parse(HEADER + data, begin=BEGIN, dialect=dialect, sizes=sizes, limits=limits)
    assert to_rows(batches, dialect.columns) == rows
    assert not any(batch.defects for batch in batches)
    assert all(len(batch.lines) <= limits.max_rows and batch.end != batch.begin for batch in batches)


@given(written_files(), chunk_sizes, small_limits)
def test_parsing_resumes_from_the_end_of_any_batch(file, sizes, limits):
    """Each batch begins at the end of the previous one, and parsing from there yields exactly the rest."""
    rows, data, dialect = file
    data = HEADER + data
    batches = parse(data, begin=BEGIN, dialect=dialect, sizes=sizes, limits=limits)
    assert [batch.begin for batch in batches[:1]] in ([], [BEGIN])
    assert all(batch.end == next_batch.begin for batch, next_batch in pairwise(batches))
    for index, batch in enumerate(batches):
        rest = parse(data, begin=batch.end, dialect=dialect, sizes=sizes, limits=limits)
        assert batch.end.records == len(to_rows(batches[: index + 1], dialect.columns))
        assert [parsed.end for parsed in rest] == [expected.end for expected in batches[index + 1 :]]
        assert to_rows(rest, dialect.columns) == rows[batch.end.records :]
        assert [line for parsed in rest for line in parsed.lines] == [
            line for expected in batches[index + 1 :] for line in expected.lines
        ]


@given(written_files(), st.binary(max_size=60), chunk_sizes, small_limits)
def test_any_bytes_give_rows_or_an_unreadable_file(file, noise, sizes, limits):
    """Any bytes are parsed to rows with the right number of cells, or to an UnreadableFile."""
    _, data, dialect = file
    data = HEADER + data + noise
    parser = RecordParser(
        begin=BEGIN, dialect=dialect, size=len(data), batch_limits=limits, record_limits=RecordLimits()
    )
    batches: list[Batch] = []
    with suppress(UnreadableFile):
        batches.extend(parse_all(parser, split_at_sizes(data[BEGIN.offset :], sizes)))
    for batch in batches:
        assert len(batch.cells) == len(batch.lines) * dialect.columns
        "".join(batch.cells).encode()
