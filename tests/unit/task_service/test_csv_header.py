"""Header line, in every encoding, dialect and mapping."""

import gzip

import pytest

from chassis.kernel.errors import Invalid
from task_service.csv_dialect.delimiter import parse_delimiter
from task_service.errors import UnknownDelimiter
from task_service.imports.domain import errors as import_errors
from task_service.imports.domain.columns import errors as column_errors
from task_service.imports.domain.columns.mapping import parse_mapping
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.header.header import HeaderLimits, HeaderScanner
from task_service.imports.domain.header.text_encoding import parse_encoding
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.options.upload_options import UploadOptions, parse_max_errors

DEFAULT_LIMITS = HeaderLimits()
LINE = "Titel;title;Fällig;Status\r\n"


def scan(data: bytes, options: UploadOptions, *, piece: int = 1, limits: HeaderLimits = DEFAULT_LIMITS):
    scanner = HeaderScanner(options, limits)
    for begin in range(0, len(data), piece):
        scanner.feed(data[begin : begin + piece])
    return scanner.end()


@pytest.mark.parametrize("piece", [1, 3, 1000])
@pytest.mark.parametrize(
    ("mark", "encoding", "option", "expected"),
    [
        (b"", "utf-8", "", "utf-8"),
        (b"\xef\xbb\xbf", "utf-8", "", "utf-8"),
        (b"\xff\xfe", "utf-16-le", "", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be", "", "utf-16-be"),
        (b"\xfe\xff", "utf-16-be", "utf-16", "utf-16-be"),
        (b"", "utf-16-le", "utf-16", "utf-16-le"),
        (b"", "utf-16-be", "UTF-16BE", "utf-16-be"),
        (b"", "cp1252", "windows-1252", "cp1252"),
        (b"", "iso8859-1", "latin1", "cp1252"),
    ],
)
def test_encoding_comes_from_mark_or_option(mark, encoding, option, expected, piece):
    options = UploadOptions(encoding=parse_encoding(option))
    header = scan(mark + LINE.encode(encoding) + "a;b;;\r\n".encode(encoding), options, piece=piece)
    assert (header.encoding, header.delimiter) == (expected, ";")
    assert header.columns == ("Titel", "title", "Fällig", "Status")
    assert header.fields == ("", "title", "", "status")
    assert header.size == len(mark) + len(LINE.encode(encoding))


def test_byte_order_mark_mismatch_is_refused():
    with pytest.raises(import_errors.ByteOrderMarkMismatch, match="mark of utf-8, but the option encoding is cp1252"):
        scan(b"\xef\xbb\xbftitle\r\n", UploadOptions(encoding="cp1252"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("\ufeff\ufefftitle", "'<U+FEFF>title' with the invisible character U+FEFF"),
        ("ti\u200btle,Notes", "'ti<U+200B>tle' with the invisible character U+200B, 'Notes'"),
        ("\u3164title", "'<U+3164>title' with the invisible character U+3164"),
        ("Card\xa0Title\u2009s", "'Card Title s'"),
        ("it's", '"it\'s"'),
    ],
    ids=ascii,
)
def test_invisible_characters_of_a_column_name_are_shown(line, found):
    """A second byte order mark belongs to the name of the first column. Special spaces are spaces."""
    with pytest.raises(column_errors.MissingTitleColumn) as caught:
        scan(f"{line}\n".encode(), UploadOptions())
    assert f"Found: {found}. If" in caught.value.message


def test_warning_shows_invisible_characters():
    header = scan("title,\u200bVotes\n".encode(), UploadOptions())
    assert header.warnings == ("The column '<U+200B>Votes' is not used.",)


def test_row_filter_of_a_missing_column_is_quoted():
    """The message has the user's own spelling."""
    options = UploadOptions(rows=RowOptions(row_filter=" Card Type =Task"))
    with pytest.raises(column_errors.FilteredColumnMissing, match="the column 'Card Type', but"):
        scan(b"title\n", options)


def test_mapping_replaces_that_of_a_base_in_another_spelling():
    options = UploadOptions(mapping={"DUE": "labels"}).over(UploadOptions(mapping={"due": "due_date", "A b": "status"}))
    assert options.mapping == {"A b": "status", "DUE": "labels"}


def test_neutralised_column_name_is_recognised():
    options = UploadOptions(mapping={"=x": "title"})
    assert scan(b"'=x,import_errors\r\n", options).fields == ("title", "")


def test_errors_column_is_recognised_before_empty_cells():
    header = scan(b"title;import_errors;; \r\n", UploadOptions())
    assert (header.columns, header.warnings) == (("title", "import_errors"), ())


def test_on_duplicate_without_external_id_is_a_warning():
    skip = UploadOptions(on_duplicate=OnDuplicate.SKIP)
    assert scan(b"title\r\n", skip).warnings == ("on_duplicate does nothing: the file has no external_id column.",)
    assert scan(b"title,external_id\r\n", skip).warnings == ()


def test_mapping_assigns_columns_to_fields():
    options = UploadOptions(mapping=parse_mapping("title: TITEL ,due_date:Fällig"))
    header = scan(LINE.encode(), options)
    assert header.fields == ("title", "", "due_date", "status")
    assert header.warnings == ("The column 'title' is not used.",)


def test_delimiter_option_is_used():
    header = scan(b"title,a;b,c\n", UploadOptions(delimiter=parse_delimiter(",")))
    assert header.columns == ("title", "a;b", "c")
    assert scan(b"title\ta,b,c,d\n", UploadOptions(delimiter=parse_delimiter("tab"))).columns == ("title", "a,b,c,d")


@pytest.mark.parametrize(
    ("parse", "error"),
    [
        (lambda: parse_encoding("base64"), import_errors.UnknownEncoding),
        (lambda: parse_encoding("utf-7"), import_errors.UnknownEncoding),
        (lambda: parse_encoding("no\0name"), import_errors.UnknownEncoding),
        (lambda: parse_delimiter("x"), UnknownDelimiter),
        (lambda: parse_delimiter(",;"), UnknownDelimiter),
        (lambda: parse_mapping("title"), column_errors.MalformedMapping),
        (lambda: parse_mapping("title:"), column_errors.MalformedMapping),
        (lambda: parse_mapping("title:a,title:b"), column_errors.MalformedMapping),
        (lambda: parse_mapping("title:a,description:A"), column_errors.DuplicateMappedColumn),
        (lambda: parse_mapping("colour:a"), column_errors.UnknownMappedField),
        (lambda: parse_max_errors(-1), import_errors.NegativeMaxErrors),
        (lambda: scan(b"title\n", UploadOptions(mapping={"due": "due_date"})), column_errors.MappedColumnMissing),
        (lambda: scan(b"t\x81itle\n", UploadOptions(encoding="cp1252")), import_errors.HeaderUnreadable),
        (lambda: scan("title\n".encode("utf-16-le"), UploadOptions()), import_errors.UnmarkedUtf16),
        (lambda: scan("title\n".encode("utf-16-be"), UploadOptions(encoding="cp1252")), import_errors.UnmarkedUtf16),
        (lambda: scan(b"ti\0tle\n", UploadOptions()), import_errors.NotCsv),
        (lambda: scan(gzip.compress(b"title\n"), UploadOptions()), import_errors.CompressedFile),
        (lambda: scan(gzip.compress(b"title\n"), UploadOptions(encoding="cp437")), import_errors.CompressedFile),
    ],
)
def test_invalid_options_and_headers_are_refused(parse, error):
    with pytest.raises(Invalid) as caught:
        parse()
    assert type(caught.value) is error


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("piece", [1, 1000])
def test_header_limits_are_exact(encoding, piece):
    line = "title,é,c"
    exact_bytes, exact_columns = HeaderLimits(line_bytes=len(line.encode())), HeaderLimits(columns=3)
    for limits in (exact_bytes, exact_columns):
        assert scan(f"{line}\nrow".encode(encoding), UploadOptions(), piece=piece, limits=limits).columns[0] == "title"
    one_byte_less, one_column_less = HeaderLimits(line_bytes=exact_bytes.line_bytes - 1), HeaderLimits(columns=2)
    for limits, message in (
        (one_byte_less, f"The header line is longer than {one_byte_less.line_bytes} bytes."),
        (one_column_less, "The header line has 3 columns. The maximum is 2."),
    ):
        with pytest.raises(Invalid) as caught:
            scan(f"{line}\nrow".encode(encoding), UploadOptions(), piece=piece, limits=limits)
        assert caught.value.message == message


def test_oversized_header_is_refused_early():
    scanner = HeaderScanner(UploadOptions(), HeaderLimits(line_bytes=20))
    with pytest.raises(import_errors.HeaderTooLong):
        scanner.feed(b"title," + b"x" * 20)


@pytest.mark.parametrize("piece", [1, 5, 1000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("first", "delimiter"), [("sep=;", ";"), ('"sep=;"', ";"), ("SEP=,", ","), ("sep=\t", "\t"), ("sep=|", "|")]
)
def test_sep_line_gives_the_delimiter(first, delimiter, encoding, piece):
    line = f"{first}\r\ntitle{delimiter}a,b;c\r\n"
    header = scan((line + "x;pending\r\n").encode(encoding), UploadOptions(), piece=piece)
    assert header.delimiter == delimiter
    assert header.columns == (f"title{delimiter}a,b;c".split(delimiter)[0], *"a,b;c".split(delimiter))
    assert (header.size, header.lines) == (len(line.encode(encoding)), 2)


def test_delimiter_option_overrides_the_sep_line():
    header = scan(b"sep=;\ntitle,a;b\n", UploadOptions(delimiter=","))
    assert header.columns == ("title", "a;b")
    with pytest.raises(UnknownDelimiter):
        scan(b"sep=x\ntitlexstatus\n", UploadOptions())
    with pytest.raises(import_errors.EmptyFile):
        scan(b"sep=;\n", UploadOptions())


@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_column_name_with_line_breaks(ending, delimiter, encoding, piece):
    """A quoted column name may have line breaks, which count as spaces."""
    names = [f'"Due{ending}{ending} date"', "title", f'"a,{ending};""b"', "status"]
    line = delimiter.join(names) + ending
    header = scan(f"{line}2026-01-01,x,y,z{ending}".encode(encoding), UploadOptions(), piece=piece)
    assert header.columns == (f"Due{ending}{ending} date", "title", f'a,{ending};"b', "status")
    assert header.fields == ("due_date", "title", "", "status")
    assert (header.size, header.lines) == (len(line.encode(encoding)), 4)


@pytest.mark.parametrize("piece", [1, 1000])
def test_unclosed_quote_of_the_header_is_refused(piece):
    rows = b"x,y\n" * 100
    for limits in (DEFAULT_LIMITS, HeaderLimits(line_bytes=50)):
        for line in (b'title,"status\n', b'title,"a"b\n', b'"title\n', b'title;"a\n'):
            with pytest.raises(import_errors.UnclosedHeaderQuote):
                scan(line + rows, UploadOptions(), piece=piece, limits=limits)


def test_binary_file_with_quotes_is_not_csv():
    with pytest.raises(import_errors.NotCsv):
        scan(b'"\x01' + b"x" * 100, UploadOptions(), limits=HeaderLimits(line_bytes=50), piece=1000)
    with pytest.raises(import_errors.NotCsv):
        scan(b'title,"a\n\x01"\n', UploadOptions())


def test_position_of_an_undecodable_byte_counts_from_the_start():
    for before in (b"", b"\xef\xbb\xbf", b"sep=,\n"):
        with pytest.raises(import_errors.HeaderNotUtf8, match=f"byte {len(before) + 7} of"):
            scan(before + b"title,\xe4\n", UploadOptions())


def test_undecodable_row_does_not_affect_the_header():
    assert scan(b"title\nK\xe4se\n", UploadOptions(), piece=1000).columns == ("title",)


@pytest.mark.parametrize("piece", [1, 1000, 1 << 20])
def test_a_thousand_columns_are_accepted(piece):
    names = ["title", *(f"{number}{'x' * 59}" for number in range(100, 1099))]
    line = ",".join(names) + "\n"
    header = scan(line.encode(), UploadOptions(), piece=piece)
    assert (len(header.columns), header.size) == (1000, len(line))
    assert header.warnings[-2:] == (f"The column {names[50]!r} is not used.", "949 more columns are not used.")
    with pytest.raises(import_errors.TooManyColumns):
        scan(f"title{',' * 1000}\n".encode(), UploadOptions(), piece=piece)


def test_nameless_columns_share_one_warning():
    assert scan(b"title,,status, ,\n", UploadOptions()).warnings == ("Columns without a name are not used: 3.",)
