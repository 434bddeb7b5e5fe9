"""Header line of a CSV file: the dialect, and the field of each column."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from task_service.csv_dialect.text import unescape_formula
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import (
    ByteOrderMarkMismatch,
    CompressedFile,
    DuplicateColumn,
    EmptyFile,
    HeaderNotUtf8,
    HeaderTooLong,
    HeaderUnreadable,
    MappedColumnMissing,
    MissingTitleColumn,
    NotCsv,
    TooManyColumns,
    UnclosedHeaderQuote,
    UnsupportedFormat,
)
from task_service.imports.domain.upload_options import DELIMITERS, UploadOptions
from task_service.tasks.domain.values import normalize_word

_LINES = re.compile(r"^[^\r\n]*(?:\r\n|\r|\n)")

ERRORS_COLUMN = "import_errors"
"""Last column of errors.csv. When the file is uploaded again, the column is ignored without a warning."""

# Normalized column names, and the fields that they fill.
_FIELDS = {
    "title": "title",
    "subject": "title",
    "description": "description",
    "status": "status",
    "priority": "priority",
    "due_date": "due_date",
    "labels": "labels",
    "external_id": "external_id",
    "assignee": "assignee",
}


_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True, slots=True)
class HeaderLimits:
    """Maximum length of a header line in bytes of UTF-8, and maximum number of columns."""

    line_bytes: int = 2048
    columns: int = 50


@dataclass(frozen=True, slots=True)
class Header:
    """Parsed header line. `fields` has the field of each used column, "" for the others."""

    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    """Column names as in the file."""
    fields: tuple[str, ...]
    warnings: tuple[str, ...]
    size: int
    """Size of the line in bytes, with byte order mark and line end."""


_GZIP = b"\x1f\x8b"

# Formats of files that people upload by mistake, by their first bytes.
_OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or another ZIP archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
}


class HeaderScanner:
    """Scanner for the header line in the first bytes of a file while they arrive."""

    def __init__(self, options: UploadOptions, limits: HeaderLimits) -> None:
        self._options = options
        self._limits = limits
        self._buffer = b""
        self.header: Header | None = None

    def feed(self, chunk: bytes) -> None:
        """Add the next bytes. `header` is set when the line is complete.

        Raises CompressedFile, UnsupportedFormat, and the errors of parse_header.
        """
        if self.header is not None:
            return
        self._buffer += chunk[: 2 * self._limits.line_bytes + 8]
        if self._buffer.startswith(_GZIP):
            raise CompressedFile
        for signature, kind in _OTHER_FORMATS.items():
            if self._buffer.startswith(signature):
                raise UnsupportedFormat(kind=kind)
        mark_length, encoding = _detect_encoding(self._buffer, self._options.encoding)
        body = self._buffer[mark_length:]
        is_utf16 = encoding.startswith("utf-16")
        text = body[: len(body) // 2 * 2].decode(encoding, "replace") if is_utf16 else body.decode("latin-1")
        line = next(iter(_LINES.findall(text)), "")
        # A \r at the end may be the first half of a \r\n.
        if line and not (line == text and line.endswith("\r")):
            size = len(line.encode(encoding, "surrogatepass")) if is_utf16 else len(line)
            self.header = parse_header(self._buffer[: mark_length + size], self._options, self._limits)
        elif len(text) > self._limits.line_bytes:
            _reject_control_characters(text if is_utf16 else body.decode("utf-8", "replace"))
            raise HeaderTooLong(limit=self._limits.line_bytes)

    def end(self) -> Header:
        """Return the header of a file that ends here, even without a line end."""
        if self.header is None:
            self.header = parse_header(self._buffer, self._options, self._limits)
        return self.header


def parse_header(line: bytes, options: UploadOptions, limits: HeaderLimits) -> Header:
    """Parse a header line, including its line end.

    Raises:
        EmptyFile: the line is empty.
        NotCsv: the line has control characters, as binary files do.
        HeaderNotUtf8, HeaderUnreadable, HeaderTooLong, TooManyColumns, UnclosedHeaderQuote: see their messages.
        MissingTitleColumn, DuplicateColumn: no column, or two columns, for one field.
        MappedColumnMissing: the mapping names a missing column.

    """
    mark_length, encoding = _detect_encoding(line, options.encoding)
    text = _decode(line, mark_length, encoding)
    if len(text.encode("utf-8", "replace")) > limits.line_bytes:
        raise HeaderTooLong(limit=limits.line_bytes)
    if not text:
        raise EmptyFile
    _reject_control_characters(text)
    delimiter, raw_names = _split_columns(text, options.delimiter or DELIMITERS)
    names = [unescape_formula(name) for name in raw_names]
    count = len(names) - (names[-1].strip() == ERRORS_COLUMN)
    if count > limits.columns:
        raise TooManyColumns(count=count, limit=limits.columns)
    fields = _map_fields([normalize_word(name) for name in names], options.mapping)
    for field in set(fields) - {""}:
        if fields.count(field) > 1:
            names_of_field = [
                repr(name.strip()[:40]) for name, used in zip(names, fields, strict=False) if used == field
            ]
            raise DuplicateColumn(column=field, names=" and ".join(names_of_field))
    if "title" not in fields:
        raise MissingTitleColumn(columns=", ".join(repr(name.strip()[:40]) for name in names[:10]))
    unused = [name.strip() for name, field in zip(names[:count], fields, strict=False) if not field]
    warnings = [f"The column {name!r} is not used." for name in unused]
    if options.on_duplicate is not OnDuplicate.FAIL and "external_id" not in fields:
        warnings.append("on_duplicate does nothing: the file has no external_id column.")
    return Header(encoding, delimiter, tuple(names), fields, tuple(warnings), len(line))


def _map_fields(columns: Sequence[str], mapping: Mapping[str, str]) -> tuple[str, ...]:
    """Return the field of each column: from the mapping, otherwise from the column's name."""
    for column in mapping.values():
        if column not in columns:
            raise MappedColumnMissing(column=repr(column[:40]))
    mapped = {column: field for field, column in mapping.items()}
    by_name = {column: field for column, field in _FIELDS.items() if field not in mapping}
    return tuple(mapped.get(column) or by_name.get(column, "") for column in columns)


def _detect_encoding(data: bytes, option: str) -> tuple[int, str]:
    """Return the length of the byte order mark and the encoding.

    The encoding is that of the option, else that of the mark, else UTF-8.

    Raises ByteOrderMarkMismatch when option and mark differ: either choice would garble some files.
    """
    for mark, mark_encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            if option and not mark_encoding.startswith(option):
                raise ByteOrderMarkMismatch(mark=mark_encoding, option=option)
            return len(mark), mark_encoding
    return 0, {"": "utf-8", "utf-16": "utf-16-le"}.get(option, option)


def _decode(line: bytes, mark_length: int, encoding: str) -> str:
    try:
        text = line[mark_length:].decode(encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        position = mark_length + error.start + 1
        if encoding == "utf-8":
            raise HeaderNotUtf8(position=position) from None
        raise HeaderUnreadable(encoding=encoding, position=position) from None
    return text


def _reject_control_characters(text: str) -> None:
    for character in text:
        if character < " " and character != "\t":
            raise NotCsv(character=f"U+{ord(character):04X}")


def _split_columns(text: str, delimiters: str) -> tuple[str, Sequence[str]]:
    """Return the delimiter with the most columns (the comma if none has more than one) and the column names."""
    best: tuple[str, list[str]] = (delimiters[0], [])
    unreadable = 0
    for delimiter in delimiters:
        try:
            names = next(csv.reader([text], delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            unreadable = max(unreadable, text.count(delimiter))
            continue
        if len(names) > len(best[1]):
            best = (delimiter, names)
    # With another delimiter, a line with an unclosed quote parses as one strange name. Report the real cause.
    if not best[1] or unreadable >= len(best[1]):
        raise UnclosedHeaderQuote
    return best
