"""Files whose header line is not the first line, and files without one."""

import pytest

from chassis.kernel.errors import Invalid
from task_service.imports.domain.columns.mapping import parse_mapping
from task_service.imports.domain.errors import TooManyColumns
from task_service.imports.domain.header.header import HeaderLimits, HeaderScanner
from task_service.imports.domain.inspection.file_sample import fit_header, read_sample
from task_service.imports.domain.options.upload_options import UploadOptions, parse_header_row

DEFAULT_LIMITS = HeaderLimits()


def scan(data: bytes, *, piece: int = 1, limits: HeaderLimits = DEFAULT_LIMITS, **options):
    scanner = HeaderScanner(UploadOptions(**options), limits)
    for begin in range(0, len(data), piece):
        scanner.feed(data[begin : begin + piece])
    return scanner.end()


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("above", "header_row"),
    [("", 1), ("My tasks\n\n", 3), ('say "x;y;z;\n', 2), ("sep=;\n\n", 3), (f"{'a,' * 2000}\n\n\n", 4)],
)
def test_lines_above_the_header_row_are_skipped(above, header_row, ending, encoding, piece):
    beginning = f"{above}title;a,b;status\n".replace("\n", ending)
    options = {"delimiter": "" if above.startswith("sep=") else ";", "header_row": header_row, "piece": piece}
    header = scan(f"{beginning}x;y;pending{ending}".encode(encoding), **options)
    assert (header.columns, header.delimiter) == (("title", "a,b", "status"), ";")
    assert (header.size, header.lines) == (len(beginning.encode(encoding)), header_row)


def test_undecodable_line_above_the_header_row_is_skipped():
    assert scan(b"K\xe4se \x01\ntitle\nx\n", header_row=2).fields == ("title",)


@pytest.mark.parametrize("piece", [1, 10_000])
def test_lines_above_the_header_row_have_a_limit(piece):
    """The lines above may be as long as the header line, with their line ends."""
    limits = HeaderLimits(line_bytes=20)
    header = b"title" + b",x" * 7 + b"\n"
    assert scan(b"x" * 19 + b"\n" + header, header_row=2, limits=limits, piece=piece).fields[0] == "title"
    assert scan(b"\n" * 20 + header, header_row=21, limits=limits, piece=piece).fields[0] == "title"
    for file in (b"x" * 20 + b"\ntitle\n", b"x" * 21, b"\n" * 21):
        with pytest.raises(Invalid) as caught:
            scan(file, header_row=100 if file.isspace() else 2, limits=limits, piece=piece)
        assert (caught.value.field, caught.value.reason) == ("header_row", "HEADER_ROW_TOO_FAR")


@pytest.mark.parametrize("file", [b"title\nx\n", b"title\nx", b"title\n\n\n", b"\xef\xbb\xbf", b"sep=;\n"])
@pytest.mark.parametrize("header_row", [3, 2_147_483_647])
def test_missing_or_empty_header_row_is_refused(file, header_row):
    with pytest.raises(Invalid) as caught:
        scan(file, header_row=header_row)
    assert (caught.value.field, caught.value.reason) == ("header_row", "EMPTY_HEADER_ROW")
    assert caught.value.message.startswith(f"Line {header_row} ")


def test_contradictory_and_negative_options_are_refused():
    with pytest.raises(Invalid, match="not both"):
        UploadOptions(has_header=False, header_row=1)
    with pytest.raises(Invalid, match="from 1"):
        parse_header_row(-1)
    with pytest.raises(Invalid, match="Found: 'sep='"):
        scan(b"sep=;\ntitle\n", header_row=1)


@pytest.mark.parametrize(("mark", "sep"), [(b"", b""), (b"\xef\xbb\xbf", b""), (b"", b"sep=;\n")])
def test_first_line_of_a_file_without_header_is_a_row(mark, sep):
    mapping = parse_mapping('{"#2": "title", "#3": "due_date", "#4": null}')
    header = scan(mark + sep + b"title;Buy milk;2026-12-31;x\n", has_header=False, mapping=mapping)
    assert (header.columns, header.fields) == (("#1", "#2", "#3", "#4"), ("", "title", "due_date", ""))
    assert (header.size, header.lines) == (len(mark + sep), int(bool(sep)))
    assert header.warnings == ("The column '#1' is not used.",)


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [("", "MISSING_TITLE_COLUMN"), ("title:title", "MAPPED_COLUMN_MISSING"), ("title:#3", "MAPPED_COLUMN_MISSING")],
)
def test_file_without_header_needs_numbers(mapping, reason):
    with pytest.raises(Invalid, match="Found: '#1', '#2'") as caught:
        scan(b"title,status\n", has_header=False, mapping=parse_mapping(mapping))
    assert caught.value.reason == reason


def test_number_of_columns_is_checked_before_their_names():
    """The work on the names has no other limit: a source and a mapping look for each of their columns."""
    with pytest.raises(TooManyColumns):
        scan(b"title" + b"," * 1000 + b"\n", piece=10_000, source="jira")


def test_line_of_too_many_columns_is_no_header_line_of_a_source():
    header = b"TYPE,CONTENT,PRIORITY,INDENT,DATE"
    found = scan(b"My tasks\n" + header + b"," * 1000 + b"\n" + header + b"\n", piece=10_000)
    assert (found.row, found.source_detected) == (3, "todoist")


def test_inspection_proposes_no_line_of_too_many_columns():
    data = b"\ntitle" + b"," * 1000 + b"\ntitle,status\na,pending\n"
    fitted = fit_header(data, UploadOptions(), DEFAULT_LIMITS, is_complete=True)
    assert fitted.options.header_row == 3


def test_inspection_reads_a_bounded_number_of_cells():
    data = b"title" + b",Label" * 999 + b"\n" + b"a\n" * 2000
    header = fit_header(data, UploadOptions(), DEFAULT_LIMITS, is_complete=True).header
    assert header is not None
    assert len(read_sample(data, header, is_complete=True).batch.lines) == 100
