"""Header line of a CSV file: the dialect, and the field of each column."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chassis.kernel.quoting import quote
from task_service.csv_dialect.text import unescape_formula
from task_service.imports.domain.columns.errors import (
    FilteredColumnMissing,
    MappedColumnMissing,
    MissingTitleColumn,
    SourceColumnsMissing,
    SourceWithoutHeader,
)
from task_service.imports.domain.columns.matching import match_columns
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import EmptyFile, TooManyColumns, UnclosedHeaderQuote, UnmarkedUtf16
from task_service.imports.domain.header.file_format import reject_other_formats, reject_other_text_formats
from task_service.imports.domain.header.record import HeaderRecord, read_header_record, split_lines
from task_service.imports.domain.header.text_encoding import detect_encoding, guess_unmarked_utf_16
from task_service.imports.domain.options.row_rules import find_row_rules
from task_service.imports.domain.options.sources import (
    MAX_SEARCHED_LINES,
    Source,
    find_source_line,
    load_sources,
    recognise_source,
)
from task_service.imports.domain.options.upload_options import NO_SOURCE, UploadOptions

ERRORS_COLUMN = "import_errors"
"""Last column of errors.csv. When the file is uploaded again, the column is ignored without a warning."""

_FIRST_ATTEMPT_BYTES = 512
_FORMAT_BYTES = 1024
"""Bytes of a file that are enough to recognize another text format."""
MAX_COLUMN_WARNINGS = 50
"""Maximum number of unused columns that the warnings of an import name."""
_NO_EXTERNAL_ID = "on_duplicate does nothing: the file has no external_id column."


@dataclass(frozen=True, slots=True)
class HeaderLimits:
    """Maximum length of a header line in bytes of UTF-8, and maximum number of columns."""

    line_bytes: int = 65536
    columns: int = 1000


@dataclass(frozen=True, slots=True)
class Header:
    """Parsed header line. `fields` has the field of each used column, "" for the others."""

    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    """Column names as in the file; #1, #2 and so on if it has none."""
    fields: tuple[str, ...]
    column_warnings: tuple[str, ...]
    """Warnings about unused columns."""
    other_warnings: tuple[str, ...]
    size: int
    """Bytes before the first row: a byte order mark, a line `sep=;`, the lines above the header line and itself."""
    lines: int
    """Number of physical lines before the first row."""
    row: int
    """Physical line of the column names; 0 if the file has none."""
    options: UploadOptions = field(default_factory=UploadOptions)
    """Options of the upload, those of its source included."""
    source_detected: str = ""
    """Source that was recognised by the column names."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.column_warnings, *self.other_warnings)


def max_header_bytes(options: UploadOptions, limits: HeaderLimits) -> int:
    """Return the maximum number of bytes up to the end of the header line."""
    # A character that takes one byte in UTF-8 takes at most two in UTF-16, and all others at most four.
    # The lines above the header line have the same maximum.
    return (4 * limits.line_bytes + 8) * (2 if options.header_row else 1)


class HeaderScanner:
    """Scanner for the header line in the first bytes of a file while they arrive."""

    def __init__(self, options: UploadOptions, limits: HeaderLimits) -> None:
        self._options = options
        self._limits = limits
        self._buffer = bytearray()
        self._max_bytes = max_header_bytes(options, limits)
        self._attempted_bytes = 0
        self.header: Header | None = None

    def feed(self, chunk: bytes) -> None:
        """Add the next bytes. `header` is set when the line is complete.

        Raises CompressedFile, UnsupportedFormat, and the errors of parse_header.
        """
        if self.header is not None:
            return
        self._buffer += chunk[: self._max_bytes - len(self._buffer)]
        # Attempts at doubled sizes bound the work, whether the file arrives in bits or at once. Most header lines are
        # short.
        if len(self._buffer) < min(2 * self._attempted_bytes, self._max_bytes):
            return
        while self.header is None and self._attempted_bytes < len(self._buffer):
            self._attempted_bytes = min(2 * self._attempted_bytes or _FIRST_ATTEMPT_BYTES, len(self._buffer))
            self.header = self._parse(self._attempted_bytes, is_complete=False)

    def end(self) -> Header:
        """Return the header of a file that ends here, even without a line end."""
        if self.header is None:
            self.header = self._parse(len(self._buffer), is_complete=True)
        if self.header is None:
            raise EmptyFile
        return self.header

    def _parse(self, size: int, *, is_complete: bool) -> Header | None:
        data = bytes(self._buffer[:size])
        if not reject_other_formats(data, is_complete=is_complete):
            return None
        return parse_header(data, self._options, self._limits, is_complete=is_complete)


def parse_header(data: bytes, options: UploadOptions, limits: HeaderLimits, *, is_complete: bool) -> Header | None:
    """Parse the header line at the beginning of a file, or return None if more bytes are needed.

    The header line is the first record, or the line `header_row`. If the first record can't be one, it is the first
    line that a source is known to write.

    Raises:
        EmptyFile, EmptyHeaderRow, NotCsv, HeaderTooLong, HeaderRowTooFar: see read_header_record.
        HeaderNotUtf8, HeaderUnreadable, UnclosedHeaderQuote: see read_header_record.
        TooManyColumns, UnmarkedUtf16, UnsupportedFormat: see their messages.
        MappedColumnMissing, DuplicateMappedColumn, DuplicateColumn, MissingTitleColumn: see match_columns.
        SourceColumnsMissing, SourceWithoutHeader, FilteredColumnMissing, AmbiguousFilteredColumn: see their messages.

    """
    mark_length, encoding = detect_encoding(data, options.encoding)
    beginning = data[mark_length : mark_length + _FORMAT_BYTES].decode(encoding, "replace")
    reject_other_text_formats(f"{beginning}\n" if is_complete else beginning)
    if not encoding.startswith("utf-16") and (guess := guess_unmarked_utf_16(data)):
        raise UnmarkedUtf16(encoding=guess)

    def parse_at(header_row: int) -> Header | None:
        record = read_header_record(
            data,
            encoding,
            options.delimiter,
            mark_length=mark_length,
            header_row=header_row,
            max_bytes=limits.line_bytes,
            is_complete=is_complete,
        )
        return record and _parse_record(record, encoding, replace(options, header_row=header_row), limits)

    try:
        return parse_at(options.header_row)
    except _IS_NO_HEADER_LINE:
        if options.header_row or options.has_header is False or options.source == NO_SOURCE:
            raise
        lines = split_lines(data[mark_length:], encoding)
        texts = [line.decode(encoding, "replace") for line in lines[:MAX_SEARCHED_LINES]]
        row = find_source_line(texts, options.source, max_columns=limits.columns)
        if row:
            return parse_at(row)
        if not is_complete and len(lines) <= MAX_SEARCHED_LINES and len(data) < max_header_bytes(options, limits):
            return None
        raise


_IS_NO_HEADER_LINE = (
    EmptyFile,
    UnclosedHeaderQuote,
    MissingTitleColumn,
    MappedColumnMissing,
    FilteredColumnMissing,
    SourceColumnsMissing,
)


def _parse_record(record: HeaderRecord, encoding: str, options: UploadOptions, limits: HeaderLimits) -> Header:
    has_header = options.has_header is not False
    rows = record.end if has_header else record.begin
    names = _column_names(record, has_header=has_header)
    # First, because it bounds the work on the names.
    count = len(names) - (names[-1].strip() == ERRORS_COLUMN)
    if count > limits.columns:
        raise TooManyColumns(count=count, limit=limits.columns)
    source = _find_source(names, options)
    source_detected = source.name if source and not options.source else ""
    if source:
        options = options.over(source.options_for(names, options.mapping))
    fields, ignored = match_columns(names, options.mapping)
    used = {*ignored, *(rule.column for rule in find_row_rules(options.rows, names) if rule)}
    unused = [index for index in range(count) if not fields[index] and index not in used]
    needs_external_id = options.on_duplicate in {OnDuplicate.SKIP, OnDuplicate.UPDATE}
    return Header(
        encoding=encoding,
        delimiter=record.delimiter,
        columns=tuple(names),
        fields=fields,
        column_warnings=tuple(_unused_columns([names[index].strip() for index in unused])),
        other_warnings=(_NO_EXTERNAL_ID,) if needs_external_id and "external_id" not in fields else (),
        size=rows.size,
        lines=rows.lines,
        row=record.begin.lines + 1 if has_header else 0,
        options=options,
        source_detected=source_detected,
    )


def _column_names(record: HeaderRecord, *, has_header: bool) -> list[str]:
    if not has_header:
        return [f"#{number}" for number in range(1, len(record.cells) + 1)]
    return _without_padding([unescape_formula(name) for name in record.cells])


def _find_source(names: Sequence[str], options: UploadOptions) -> Source | None:
    """Return the source of the options, or the one that the names show. Raises SourceWithoutHeader."""
    if options.has_header is False:
        if options.source not in {"", NO_SOURCE}:
            raise SourceWithoutHeader
        return None
    return load_sources().get(options.source) if options.source else recognise_source(names)


def _without_padding(names: list[str]) -> list[str]:
    """Return the names without the empty cells that a spreadsheet adds after the last column of an errors.csv."""
    count = len(names)
    while count and not names[count - 1].strip():
        count -= 1
    return names[:count] if count and names[count - 1].strip() == ERRORS_COLUMN else names


def _unused_columns(names: Sequence[str]) -> list[str]:
    """Return warnings for columns that fill no field. Further columns are only counted, to bound the response."""
    named = [name for name in names if name]
    warnings = [f"The column {quote(name, len(name))} is not used." for name in named[:MAX_COLUMN_WARNINGS]]
    if more := len(named) - len(warnings):
        warnings.append(f"{more} more columns are not used.")
    if nameless := len(names) - len(named):
        warnings.append(f"Columns without a name are not used: {nameless}.")
    return warnings
