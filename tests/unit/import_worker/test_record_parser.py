"""The record parser with files that people really upload."""

import csv

import pytest

from import_worker.clients.translate import batch_to_proto
from import_worker.domain.batch import Batch, Defect, DefectKind
from import_worker.domain.errors import FileCutShort, RecordTooLarge, StrayQuote, UnclosedQuote, UnreadableFile
from import_worker.domain.lease import Checkpoint, Dialect, RecordLimits
from import_worker.domain.record_parser import BatchLimits, RecordParser
from tests.unit.import_worker.parsing import chunked, parse_all

DEFAULT_LIMITS = BatchLimits()
BEGIN = Checkpoint(offset=0, line=2, records=0)


def parse(
    data: bytes, *, columns=2, size=None, chunk=7, batch_limits=DEFAULT_LIMITS, **record_limits
) -> tuple[list[Batch], UnreadableFile | None]:
    parser = RecordParser(
        begin=BEGIN,
        dialect=Dialect(delimiter=",", columns=columns),
        size=len(data) if size is None else size,
        batch_limits=batch_limits,
        record_limits=RecordLimits(**record_limits),
    )
    batches: list[Batch] = []
    try:
        batches.extend(parse_all(parser, chunked(data, chunk)))  # batches before an error stay in the list
    except UnreadableFile as failure:
        return batches, failure
    return batches, None


def parse_one(data: bytes, **options) -> Batch:
    batches, failure = parse(data, **options)
    assert failure is None
    (batch,) = batches
    return batch


def test_surplus_cells_are_removed_and_reported():
    """Surplus cells are removed and reported, and the next row is parsed."""
    batch = parse_one(b"a,b,c,d\ne,f\n")
    assert batch.cells == ["a", "b", "e", "f"]
    assert batch.defects == [Defect(row=0, kind=DefectKind.TOO_MANY_CELLS, cell=4, surplus="c,d")]


def test_surplus_cells_are_reported_in_full():
    (defect,) = parse_one(b"a,b" + b",xyz" * 1000 + b"\n").defects
    assert defect.surplus == ",".join(["xyz"] * 1000)


def test_empty_surplus_cells_are_dropped():
    batch = parse_one(b'a,b,\nc,d,, ,""\ne,f,,g\n')
    assert batch.cells == ["a", "b", "c", "d", "e", "f"]
    assert batch.defects == [Defect(row=2, kind=DefectKind.TOO_MANY_CELLS, cell=4, surplus=",g")]


def test_missing_trailing_cells_are_empty():
    batch = parse_one(b"a\nb,c\n")
    assert batch.cells == ["a", "", "b", "c"]
    assert batch.defects == []


def test_invalid_utf_8_affects_only_its_own_row():
    batch = parse_one("ä,\ufffd\nb,".encode() + b"caf\xe9" + b'\n"x \xff",y\nc,d\n')
    assert batch.cells == ["ä", "\ufffd", "b", "caf\ufffd", "x \ufffd", "y", "c", "d"]
    assert batch.defects == [
        Defect(row=1, kind=DefectKind.UNDECODABLE, cell=1),
        Defect(row=2, kind=DefectKind.UNDECODABLE, cell=0),
    ]


def test_undecodable_surplus_cell_is_one_defect():
    """An undecodable cell that is removed as surplus is reported as surplus only."""
    batch = parse_one(b"a,b,\xff\n")
    assert batch.defects == [Defect(row=0, kind=DefectKind.TOO_MANY_CELLS, cell=3, surplus="\ufffd")]


def test_nul_is_data():
    assert parse_one(b'a\0b,"\0"\n').cells == ["a\0b", "\0"]


def test_blank_lines_are_counted_but_are_no_records():
    batch = parse_one(b"\n\r\na,b\n\n\r\rc,d\n")
    assert batch.cells == ["a", "b", "c", "d"]
    assert batch.lines == [4, 8]
    assert batch.end == Checkpoint(offset=14, line=9, records=2)


@pytest.mark.parametrize("blank", [b",", b",,,", b'"",""', b" ,\t", b'"\n",', "\xa0,".encode()])
def test_rows_of_empty_cells_are_blank_lines(blank):
    """A row without text is no record and no error, also when it has more cells than the header."""
    batch = parse_one(blank + b"\na,b\n" + (blank + b"\n") * 3 + b"c,d\n")
    assert batch.cells == ["a", "b", "c", "d"]
    assert batch.defects == []
    assert batch.lines[0] == 3 + blank.count(b"\n")
    assert batch.end.records == 2


def test_trailing_blank_lines_belong_to_no_record():
    batch = parse_one(b"a,b\n\n\n\n")
    assert batch.end == Checkpoint(offset=4, line=3, records=1)


def test_line_of_a_record_is_its_first_physical_line():
    batch = parse_one(b'"a\n1\r\n2\r3",b\nc,d\r\ne,f')
    assert batch.cells == ["a\n1\r\n2\r3", "b", "c", "d", "e", "f"]
    assert batch.lines == [2, 6, 7]


def test_crlf_split_between_two_chunks_is_one_line_ending():
    batch = parse_one(b"a,b\r\nc,d\r\n", chunk=4)
    assert batch.lines == [2, 3]
    assert batch.end == Checkpoint(offset=10, line=4, records=2)


def test_other_unicode_line_separators_end_no_line():
    text = "a\x0bb\x0cc\x1cd\x85e\u2028f"
    assert parse_one(f"{text},x\n".encode()).cells == [text, "x"]


def test_unclosed_quote_is_reported_at_its_first_line():
    """An unclosed quote is reported with the first line of its record, after all earlier rows."""
    batches, failure = parse(b'a,b\nc,"d\ne,f\ng,h\n')
    assert isinstance(failure, UnclosedQuote)
    assert failure.line == 3
    assert [batch.cells for batch in batches] == [["a", "b"]]
    assert batches[0].end == Checkpoint(offset=4, line=3, records=1)


def test_unclosed_quote_in_long_file_is_found_early():
    """An unclosed quote in a long file is reported as such before the file is held in memory."""
    chunks_read = 0

    def endless():
        nonlocal chunks_read
        yield b'a,b\nc,"d\n'
        while True:
            chunks_read += 1
            yield b"e,f\n" * 100

    parser = RecordParser(
        begin=BEGIN,
        dialect=Dialect(delimiter=",", columns=2),
        size=10**12,
        batch_limits=BatchLimits(),
        record_limits=RecordLimits(max_record_bytes=10_000),
    )
    with pytest.raises(UnclosedQuote) as caught:
        list(parse_all(parser, endless()))
    assert caught.value.line == 3
    assert chunks_read <= 26


@pytest.mark.parametrize("row", [b'"a"b,c\n', b'"a" ,c\n', b'"a""" b,c\n'])
def test_text_after_closing_quote_is_an_error(row):
    batches, failure = parse(b'a,b\n"c ""quoted"" d","e"\n\n' + row + b"f,g\n")
    assert isinstance(failure, StrayQuote)
    assert failure.line == 5
    assert [batch.cells for batch in batches] == [["a", "b", 'c "quoted" d', "e"]]


def test_quote_inside_unquoted_cell_is_plain_text():
    batches, failure = parse(b'12" disk,a "b" c\nf,g\n')
    assert failure is None
    assert [batch.cells for batch in batches] == [['12" disk', 'a "b" c', "f", "g"]]


def test_line_over_the_limit_is_too_large():
    batches, failure = parse(b"a,b\n" + b"x" * 200 + b",y\n", max_record_bytes=100)
    assert isinstance(failure, RecordTooLarge)
    assert failure.line == 3
    assert [batch.cells for batch in batches] == [["a", "b"]]


def test_line_without_end_is_too_large():
    _, failure = parse(b"x" * 10_000, size=10**12, max_record_bytes=100)
    assert isinstance(failure, RecordTooLarge)
    assert failure.line == 2


def test_long_cell_is_parsed_despite_limit_of_csv_module():
    """A long cell within the limit is parsed, and the limit of the csv module is unchanged afterwards."""
    before = csv.field_size_limit()
    assert parse_one(b"x" * 900_000 + b",y\n", chunk=65536).cells[0] == "x" * 900_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("data", [b"a,b\nc,d\n", b"a,b\nc,d\ne,", b'a,b\nc,d\ne,"', b"a,b\nc,d\r"])
def test_truncated_file_fails_without_its_partial_line(data):
    """A file that ends before its size fails there, and its partial last line is no row."""
    batches, failure = parse(data, size=len(data) + 1)
    assert isinstance(failure, FileCutShort)
    assert failure.line == 4
    assert [batch.cells for batch in batches] == [["a", "b", "c", "d"]]


def test_file_without_rows_has_no_batch():
    assert parse(b"") == ([], None)
    assert parse(b"\n\n") == ([], None)


def test_batch_has_at_most_the_maximum_of_rows():
    batches, _ = parse(b"a,b\n" * 10, batch_limits=BatchLimits(max_rows=4))
    assert [len(batch.lines) for batch in batches] == [4, 4, 2]


@pytest.mark.parametrize(
    "row", [b"a\n", b"xxxxxxxxxxxxxxxxxx\n", b"\xff\n", b"\xff" * 50 + b",1,2,3,4,5,6,7,8,9\n", b'"a",""\n']
)
def test_batch_message_has_at_most_the_maximum_of_bytes(row):
    """The message of a batch exceeds the maximum only if a single row does."""
    batches, _ = parse(row * 500, columns=8, batch_limits=BatchLimits(max_bytes=2000))
    assert sum(len(batch.lines) for batch in batches) == 500
    assert all(batch_to_proto(batch).ByteSize() <= 2000 for batch in batches)
    batches, _ = parse(b"a,b\n" + b"x" * 3000 + b",y\nc,d\n", batch_limits=BatchLimits(max_bytes=2000))
    assert [len(batch.lines) for batch in batches] == [1, 1, 1]


def test_cell_over_the_limit_is_truncated_and_reported():
    """A cell over the limit is truncated and reported, and other rows are not affected."""
    batch = parse_one('ok,fine\nlänger,kurz\nx,"mit """""\nbesser,toolong,3\n'.encode(), max_cell_characters=5)
    assert batch.cells == ["ok", "fine", "länge", "kurz", "x", 'mit "', "besse", "toolo"]
    assert batch.defects == [
        Defect(row=1, kind=DefectKind.CELL_TOO_LONG, cell=0),
        Defect(row=2, kind=DefectKind.CELL_TOO_LONG, cell=1),
        Defect(row=3, kind=DefectKind.TOO_MANY_CELLS, cell=3, surplus="3"),
        Defect(row=3, kind=DefectKind.CELL_TOO_LONG, cell=0),
        Defect(row=3, kind=DefectKind.CELL_TOO_LONG, cell=1),
    ]


def test_truncation_defects_fit_the_maximum_of_bytes():
    batches, _ = parse(
        b"ab,cd,ef,gh,ij,kl,mn,op\n" * 300, columns=8, batch_limits=BatchLimits(max_bytes=2000), max_cell_characters=1
    )
    assert sum(len(batch.lines) for batch in batches) == 300
    assert sum(len(batch.defects) for batch in batches) == 8 * 300
    assert all(batch_to_proto(batch).ByteSize() <= 2000 for batch in batches)


@pytest.mark.parametrize("end", [b"", b"\n" * 5000, b",\n" * 5000])
def test_long_run_of_blank_lines_advances_the_checkpoint(end):
    data = b"a,b\n" + b"\n" * 5000 + b"c,d\n" + b",\n" * 5000 + b"e,f\n" + end
    batches, failure = parse(data, batch_limits=BatchLimits(max_bytes=1000), chunk=64)
    assert failure is None
    assert [cell for batch in batches for cell in batch.cells] == ["a", "b", "c", "d", "e", "f"]
    assert [line for batch in batches for line in batch.lines] == [2, 5003, 10004]
    assert [batch.begin for batch in batches[1:]] == [batch.end for batch in batches[:-1]]
    assert max(batch.end.offset - batch.begin.offset for batch in batches) <= 2100
    assert [batch.end.records for batch in batches if batch.lines] == [1, 2, 3]


def test_few_blank_lines_make_no_batch():
    batches, _ = parse(b"a,b\n\n\n\nc,d\n\n\n")
    assert [batch.lines for batch in batches] == [[2, 6]]
