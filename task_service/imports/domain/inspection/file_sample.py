"""Beginning of a file: its header line, and the records below it."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from chassis.kernel.errors import Invalid
from task_service.csv_dialect.delimiter import DELIMITERS
from task_service.imports.domain.columns.errors import DuplicateColumn, MissingTitleColumn
from task_service.imports.domain.columns.matching import match_columns
from task_service.imports.domain.errors import EmptyFile, FileNotUtf8, HeaderNotUtf8, TooManyCells, UnmarkedUtf16
from task_service.imports.domain.header.file_format import reject_other_formats
from task_service.imports.domain.header.header import Header, HeaderLimits, parse_header
from task_service.imports.domain.header.record import split_lines
from task_service.imports.domain.header.text_encoding import detect_encoding, guess_unmarked_utf_16
from task_service.imports.domain.imports import Checkpoint, Failure, parse_failure
from task_service.imports.domain.options.upload_options import UploadOptions
from task_service.imports.domain.rows.batch import Batch, Defect

MAX_RECORDS = 2000
MAX_CELLS = 100_000
"""Maximum number of cells, which bounds the time for a wide file of short rows."""
MAX_HEADER_ROW = 20
"""Last line that is proposed as the header line."""
WESTERN_ENCODING = "cp1252"
"""Proposed encoding of a file that is not UTF-8, if its text looks Western."""

_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
_MAX_WESTERN_RUN = 2
"""Maximum letters outside ASCII that usually follow each other in Western text, as in Größe."""


@dataclass(frozen=True, slots=True)
class FittedHeader:
    """Header line of a file, with the options that it takes to read it."""

    options: UploadOptions
    """The options of the request, and the proposals for the encoding and the header line."""
    header: Header | None
    """None if no line can be the header line."""
    problems: Sequence[Invalid]
    """Errors that the proposals mend, and the error for which there is no header line."""
    columns_without_title: Sequence[tuple[str, str]] = ()
    """Names and fields of the columns, if there is no header line because none of them fills the title."""


def fit_header(data: bytes, options: UploadOptions, limits: HeaderLimits, *, is_complete: bool) -> FittedHeader:
    """Find the header line of a file, with another encoding or in another line if the options do not fit.

    Raises CompressedFile, UnsupportedFormat, and the errors of parse_header that no option mends.
    """
    reject_other_formats(data, is_complete=True)
    problems: list[Invalid] = []
    while True:
        try:
            header = parse_header(data, options, limits, is_complete=True)
        except (UnmarkedUtf16, HeaderNotUtf8, DuplicateColumn, MissingTitleColumn, EmptyFile) as error:
            problems.append(error)
            fitted_options = _fit_options(options, error, data, limits)
            if fitted_options is None:
                columns = (
                    [*zip(error.names, error.fields, strict=True)] if isinstance(error, MissingTitleColumn) else []
                )
                return FittedHeader(options, None, problems, columns)
            options = fitted_options
        else:
            if header is None:
                raise EmptyFile
            problem = _check_utf_8(data, is_complete=is_complete) if header.encoding == "utf-8" else None
            if problem:
                problems.append(problem)
            if problem and _may_be_western(data, header):
                options = replace(options, encoding=WESTERN_ENCODING)
                header = parse_header(data, options, limits, is_complete=True)
            return FittedHeader(options, header, problems)


def _fit_options(options: UploadOptions, error: Invalid, data: bytes, limits: HeaderLimits) -> UploadOptions | None:
    """Return the options that mend an error of the header line; None if no line can be one."""
    match error:
        case UnmarkedUtf16():
            return replace(options, encoding=guess_unmarked_utf_16(data))
        case HeaderNotUtf8():
            if _has_mark(data) or not _looks_western(data):
                raise error
            return replace(options, encoding=WESTERN_ENCODING)
        case DuplicateColumn():
            return replace(options, mapping={**options.mapping, error.number: error.column})
        case _:
            row = 0 if options.header_row else _find_header_row(data, options, limits)
            return replace(options, header_row=row) if row else None


def _has_mark(data: bytes) -> bool:
    """Return True if a byte order mark, which contradicts every other encoding, begins the file."""
    mark_length, _ = detect_encoding(data, "")
    return mark_length > 0


def _may_be_western(data: bytes, header: Header) -> bool:
    """Return False if a mark, or text outside ASCII in the names, shows that the file is UTF-8 with damaged bytes."""
    return not _has_mark(data) and "".join(header.columns).isascii() and _looks_western(data)


def _looks_western(data: bytes) -> bool:
    """Return False for other scripts, whose letters stand together outside ASCII, and for bytes without a meaning."""
    try:
        data.decode(WESTERN_ENCODING)
    except UnicodeDecodeError:
        return False
    sizes = list(map(len, _HIGH_BYTES.findall(data)))
    return 4 * sum(size for size in sizes if size > _MAX_WESTERN_RUN) <= sum(sizes)


def _check_utf_8(data: bytes, *, is_complete: bool) -> FileNotUtf8 | None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        is_cut = not is_complete and error.reason == "unexpected end of data"
        return None if is_cut else FileNotUtf8(position=error.start + 1)
    return None


def _find_header_row(data: bytes, options: UploadOptions, limits: HeaderLimits) -> int:
    """Return the first line with several columns of which one fills the title; 0 if there is none."""
    mark_length, encoding = detect_encoding(data, options.encoding)
    for number, line in enumerate(split_lines(data[mark_length:], encoding)[:MAX_HEADER_ROW], 1):
        text = line.decode(encoding, "replace")
        for delimiter in options.delimiter or DELIMITERS:
            try:
                names = next(csv.reader([text], delimiter=delimiter, strict=True), [])
                if 1 < len(names) <= limits.columns:
                    match_columns(names, options.mapping)
                    return number
            except (csv.Error, Invalid):
                continue
    return 0


class Sample(NamedTuple):
    """The first records of a file."""

    batch: Batch
    failure: Failure | None
    """Error of the record after them, for which an import would fail."""


def read_sample(data: bytes, header: Header, *, is_complete: bool) -> Sample:
    """Return the first records below the header line.

    Without `is_complete`, the last record may be cut and is left out.
    """
    begin = Checkpoint(header.size, header.lines + 1, 0)
    lines: list[int] = []
    cells: list[str] = []
    defects: dict[int, list[Defect]] = {}
    failure = None
    width = len(header.columns)
    for line, row in _read_records(data, header, is_complete=is_complete):
        if isinstance(row, Failure):
            failure = row
            break
        surplus = row[width:]
        if "".join(surplus).strip():
            defects[len(lines)] = [Defect(TooManyCells.reason, len(row), header.delimiter.join(surplus))]
        lines.append(line)
        cells += [*row[:width], *[""] * (width - len(row))]
        if len(lines) == MAX_RECORDS or len(cells) >= MAX_CELLS:
            break
    return Sample(Batch(begin, begin._replace(records=len(lines)), lines, cells, defects), failure)


def _read_records(data: bytes, header: Header, *, is_complete: bool) -> Iterator[tuple[int, list[str] | Failure]]:
    """Yield the records that are no blank lines, with their first lines. The last item may be a failure."""
    lines = [line.decode(header.encoding, "replace") for line in split_lines(data[header.size :], header.encoding)]
    reader = csv.reader(lines, delimiter=header.delimiter, strict=True)
    first_line = header.lines + 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            is_at_end = reader.line_num == len(lines)
            if is_complete or not is_at_end:
                yield first_line, parse_failure("UNCLOSED_QUOTE" if is_at_end else "STRAY_QUOTE", first_line)
            return
        if row is None or (not is_complete and reader.line_num == len(lines)):
            return
        if "".join(row).strip():
            yield first_line, row
        first_line = header.lines + reader.line_num + 1
