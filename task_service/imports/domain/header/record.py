"""First record of a CSV file: its cells, its delimiter and its size."""

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from chassis.kernel.quoting import format_code_point
from task_service.csv_dialect.delimiter import DELIMITERS, parse_delimiter
from task_service.imports.domain.columns.errors import EmptyHeaderRow, HeaderRowTooFar
from task_service.imports.domain.errors import (
    EmptyFile,
    HeaderNotUtf8,
    HeaderTooLong,
    HeaderUnreadable,
    NotCsv,
    UnclosedHeaderQuote,
)

# These match two bytes at a time, so that half a character is never mistaken for a line ending.
_UTF_16_LINES = {
    "utf-16-le": re.compile(rb"(?s)(?:(?!\r\0|\n\0)..)*(?:\r\0\n\0|\r\0|\n\0)|.+"),
    "utf-16-be": re.compile(rb"(?s)(?:(?!\0\r|\0\n)..)*(?:\0\r\0\n|\0\r|\0\n)|.+"),
}
_SEP_LINE = re.compile(r'(?i)"?sep=(.)"?[\r\n]*')


class Position(NamedTuple):
    """Position in a file: the bytes, a byte order mark included, and the physical lines before it."""

    size: int
    lines: int


class HeaderRecord(NamedTuple):
    """Cells of the first record, and the positions of its begin and its end."""

    cells: Sequence[str]
    delimiter: str
    begin: Position
    end: Position


def read_header_record(
    data: bytes, encoding: str, delimiter: str, *, mark_length: int, header_row: int, max_bytes: int, is_complete: bool
) -> HeaderRecord | None:
    """Return the first record after the byte order mark, or None if it may continue after the data.

    The record is at the physical line `header_row`, unless that is 0. The lines above may be anything.

    A first line `sep=;`, which Excel reads and some tools write, gives the delimiter unless the caller does.

    Raises:
        EmptyFile, EmptyHeaderRow: the record is empty.
        HeaderRowTooFar: the lines above it have more than `max_bytes` in UTF-8.
        NotCsv: it has control characters, as binary files do.
        HeaderTooLong: it has more than `max_bytes` in UTF-8.
        UnclosedHeaderQuote, HeaderNotUtf8, HeaderUnreadable, UnknownDelimiter: see their messages.

    """
    body = data[mark_length:]
    lines = split_lines(body, encoding)
    if not is_complete and lines and not lines[-1].endswith("\n".encode(encoding)):
        lines.pop()  # A \r at the end may be the first half of a \r\n.
    texts = [line.decode(encoding, "replace") for line in lines]
    skipped = max(header_row - 1, 0)
    if header_row != 1 and texts and (sep_line := _SEP_LINE.fullmatch(texts[0])):
        skipped, delimiter = max(skipped, 1), delimiter or parse_delimiter(sep_line[1])
    above = body if len(lines) < skipped else b"".join(lines[:skipped])
    if header_row and len(above.decode(encoding, "replace").encode("utf-8")) > max_bytes:
        raise HeaderRowTooFar(limit=max_bytes)
    begin = mark_length + len(above)
    if texts[skipped:]:
        _reject_control_characters(texts[skipped])
    found = _split_cells(texts[skipped:], delimiter or DELIMITERS)
    if found is None:
        _check_unfinished(data[begin:].decode(encoding, "replace"), has_line=bool(texts[skipped:]), max_bytes=max_bytes)
        if not is_complete:
            return None
        if texts[skipped:]:
            raise UnclosedHeaderQuote
        raise EmptyHeaderRow(line=header_row) if header_row else EmptyFile
    delimiter, cells, count = found
    record = b"".join(lines[skipped : skipped + count])
    text = _decode(record, encoding, begin)
    if len(text.encode("utf-8")) > max_bytes:
        raise HeaderTooLong(limit=max_bytes)
    _reject_control_characters(text)
    if not cells:
        raise EmptyHeaderRow(line=header_row) if header_row else EmptyFile
    end = Position(begin + len(record), skipped + count)
    return HeaderRecord(cells, delimiter, Position(begin, skipped), end)


def split_lines(data: bytes, encoding: str) -> list[bytes]:
    """Return the physical lines of bytes, with their line ends."""
    pattern = _UTF_16_LINES.get(encoding)
    return data.splitlines(keepends=True) if pattern is None else pattern.findall(data)


def _check_unfinished(text: str, *, has_line: bool, max_bytes: int) -> None:
    """Raise the error of a record that already exceeds the maximum and has not ended."""
    if len(text.encode("utf-8", "replace")) <= max_bytes:
        return
    _reject_control_characters(text)
    # Only a quote can extend a record over a line ending, and a quoted cell of this length was never closed.
    raise UnclosedHeaderQuote if has_line else HeaderTooLong(limit=max_bytes)


def _decode(record: bytes, encoding: str, begin: int) -> str:
    try:
        return record.decode(encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        position = begin + error.start + 1
        if encoding == "utf-8":
            raise HeaderNotUtf8(position=position) from None
        raise HeaderUnreadable(encoding=encoding, position=position) from None


def _reject_control_characters(text: str) -> None:
    for character in text:
        if character < " " and character not in "\t\r\n":
            raise NotCsv(character=format_code_point(character))


def _split_cells(lines: Sequence[str], delimiters: str) -> tuple[str, Sequence[str], int] | None:
    """Return the delimiter with the most cells (the first if none has more than one), the cells and the lines.

    Return None if a quoted cell is not closed in these lines.
    """
    best: tuple[str, Sequence[str], int] | None = None
    unreadable = 0
    for delimiter in delimiters:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            cells = next(reader)
        except StopIteration:
            continue
        except csv.Error:
            unreadable = max(unreadable, lines[0].count(delimiter))
            continue
        if best is None or len(cells) > len(best[1]):
            best = (delimiter, cells, reader.line_num)
    # With another delimiter, a line with an unclosed quote parses as one strange name. Report the real cause.
    return None if best is None or unreadable >= max(len(best[1]), 1) else best
