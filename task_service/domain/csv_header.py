"""The header line of a CSV file: its dialect, and which column is which field."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from task_service.domain.errors import (
    DuplicateColumn,
    EmptyFile,
    HeaderNotUtf8,
    HeaderTooLong,
    MissingTitleColumn,
    NotCsv,
    TooManyColumns,
    UnclosedHeaderQuote,
)
from task_service.domain.values import fold

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_HEADER = 2048
MOST_COLUMNS = 50
DELIMITERS = ",;\t|"

ERRORS_COLUMN = "import_errors"
"""What stands behind the columns of a file in its errors.csv. Uploaded again, it is passed over without a word."""

# What a column may be called, folded, and the field that it fills.
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


@dataclass(frozen=True, slots=True)
class Header:
    """What the header line says. `fields` has a field's name for each column that is used, "" for the others."""

    delimiter: str
    columns: tuple[str, ...]
    """The names as they stand there."""
    fields: tuple[str, ...]
    warnings: tuple[str, ...]
    size: int
    """Bytes up to the first byte behind the line's end."""


class HeaderScan:
    """Looks for the header line in the first bytes of a file as they arrive."""

    def __init__(self) -> None:
        self._seen = b""
        self.header: Header | None = None

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes; `header` is set once the line is whole. Raises InvalidUpload as read_header."""
        if self.header is not None:
            return
        self._seen += chunk[: LONGEST_HEADER + 2]
        end = _line_end(self._seen)
        # A \r at the very end may be half of a \r\n.
        if end and not (end == len(self._seen) and self._seen.endswith(b"\r")):
            self.header = read_header(self._seen[:end])
        elif len(self._seen) > LONGEST_HEADER:
            self._refuse_control_characters()
            raise HeaderTooLong(limit=LONGEST_HEADER)

    def end(self) -> Header:
        """The header of a file that ends here, though its first line may not."""
        if self.header is None:
            self.header = read_header(self._seen)
        return self.header

    def _refuse_control_characters(self) -> None:
        _refuse_control_characters(self._seen.decode("utf-8", "replace"))


def read_header(line: bytes) -> Header:
    """Reads a header line, its line end included.

    Raises:
        EmptyFile: there is nothing in it.
        NotCsv: it holds control characters, as binary files do.
        HeaderNotUtf8, HeaderTooLong, TooManyColumns, UnclosedHeaderQuote: as they say.
        MissingTitleColumn, DuplicateColumn: no column, or two, for one field.

    """
    text = _decode(line)
    if not text:
        raise EmptyFile
    _refuse_control_characters(text)
    delimiter, names = _split(text)
    count = len(names) - (names[-1].strip() == ERRORS_COLUMN)
    if count > MOST_COLUMNS:
        raise TooManyColumns(count=count, limit=MOST_COLUMNS)
    fields = tuple(_FIELDS.get(fold(name), "") for name in names)
    for field in set(fields) - {""}:
        if fields.count(field) > 1:
            raise DuplicateColumn(column=field)
    if "title" not in fields:
        raise MissingTitleColumn(columns=", ".join(repr(name.strip()[:40]) for name in names[:10]))
    unused = [name.strip() for name, field in zip(names[:count], fields, strict=False) if not field]
    warnings = tuple(f"The column {name!r} is not used." for name in unused)
    return Header(delimiter, tuple(names), fields, warnings, len(line))


def _decode(line: bytes) -> str:
    mark = len(BYTE_ORDER_MARK) if line.startswith(BYTE_ORDER_MARK) else 0
    body = line[mark:]
    if len(body.rstrip(b"\r\n")) > LONGEST_HEADER:
        raise HeaderTooLong(limit=LONGEST_HEADER)
    try:
        return body.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise HeaderNotUtf8(position=mark + error.start + 1) from None


def _refuse_control_characters(text: str) -> None:
    for character in text:
        if character < " " and character != "\t":
            raise NotCsv(character=f"U+{ord(character):04X}")


def _split(text: str) -> tuple[str, Sequence[str]]:
    """The delimiter that finds the most columns, the comma where none finds more than one, and the names."""
    best: tuple[str, list[str]] = (",", [])
    unreadable = 0
    for delimiter in DELIMITERS:
        try:
            names = next(csv.reader([text], delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            unreadable = max(unreadable, text.count(delimiter))
            continue
        if len(names) > len(best[1]):
            best = (delimiter, names)
    # Read with another delimiter, a line with an open quote is one strange name: say what is really wrong.
    if not best[1] or unreadable >= len(best[1]):
        raise UnclosedHeaderQuote
    return best


def _line_end(data: bytes) -> int:
    """The first byte behind the first line, 0 when it has not ended yet."""
    first = next(iter(data.splitlines(keepends=True)), b"")
    return len(first) if first.endswith((b"\n", b"\r")) else 0
