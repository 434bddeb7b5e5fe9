"""Incremental parser of CSV bytes into batches of records."""

import csv
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain

from import_worker.domain.batch import Batch, Defect
from import_worker.domain.continuation import LastTask, continues_task
from import_worker.domain.errors import StrayQuote, UnclosedQuote, UnreadableFile
from import_worker.domain.lease import Checkpoint, Dialect, RecordLimits
from import_worker.domain.physical_lines import PhysicalLines
from import_worker.domain.record_repair import RecordRepair
from import_worker.domain.used_cells import UsedCells

# Upper bounds for the bytes of a message beyond the bytes of its records in the file: three for each cell, besides its
# delimiter; the line number, one defect and the length of the text for each record; U+FFFD, three bytes long, for each
# undecodable byte; the two checkpoints once.
_CELL_OVERHEAD = 3
_RECORD_OVERHEAD = 28
_DEFECT_OVERHEAD = 15
_REPLACEMENT_OVERHEAD = 2
_BATCH_OVERHEAD = 80


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Maximum number of rows in a batch, and of bytes in its message."""

    max_rows: int = 2000
    max_bytes: int = 512 * 1024


class RecordParser:
    """Push parser from a checkpoint to the end of a file, in constant memory.

    `feed` takes bytes and yields the batches that are full, `close` yields the rest. Both must be iterated to the end.
    They raise an UnreadableFile after they have yielded all records before the error. The end of every batch is a
    checkpoint from which another parser can continue.

    Text after a closing quote is an error (RFC 4180, section 2): the meaning of the other quotes would be ambiguous.
    Python's reader accepts it unless it is strict. A quote inside a cell that does not begin with one is plain text.

    A row of empty cells is a blank line: spreadsheets write one for every empty row of a table.

    Rows that continue a task are in the batch of that task, up to the limits of the dialect. A batch that is full at
    such a row ends before the task.
    """

    def __init__(
        self, *, begin: Checkpoint, dialect: Dialect, size: int, batch_limits: BatchLimits, record_limits: RecordLimits
    ) -> None:
        self._dialect = dialect
        self._columns = dialect.columns
        self._width = len(dialect.used_columns) or dialect.columns
        self._batch_limits = batch_limits
        self._record_limits = record_limits
        self._repair = RecordRepair(dialect.delimiter, dialect.columns, record_limits.max_cell_characters)
        self._used = UsedCells(dialect.used_columns, dialect.delimiter) if dialect.used_columns else None
        self._is_closed = False
        self._source = PhysicalLines(
            begin=begin, size=size, max_record_bytes=record_limits.max_record_bytes, encoding=dialect.encoding
        )
        self._rows: Iterable[list[str]] = ()
        self._held_row: list[str] | None = None
        self._begin = self._end = begin
        self._last_task: LastTask | None = None
        self._end_before: LastTask | None = None
        self._bytes = _BATCH_OVERHEAD
        self._lines: list[int] = []
        self._cells: list[str] = []
        self._records: list[str] = []
        self._defects: list[Defect] = []

    def feed(self, chunk: bytes) -> Iterator[Batch]:
        """Parse the next bytes of the file and yield the batches that they complete."""
        self._source.feed(chunk)
        yield from self._parse()

    def close(self) -> Iterator[Batch]:
        """Parse what the end of the file completes and yield the last batches."""
        self._source.close()
        self._is_closed = True
        yield from self._parse()
        if self._end != self._begin:
            yield self._take_batch()

    def _parse(self) -> Iterator[Batch]:
        self._rows = csv.reader(self._source, delimiter=self._dialect.delimiter, strict=True)
        failure: UnreadableFile | None = None
        is_full = True
        while is_full:
            with _field_size_limit(self._record_limits.max_record_bytes):
                try:
                    is_full = self._fill_batch()
                except UnreadableFile as error:
                    is_full, failure = False, error
                except csv.Error:
                    is_full, failure = False, self._syntax_error()
            if is_full or (failure is not None and self._end != self._begin):
                yield self._take_batch()
        if failure is not None:
            raise failure

    def _syntax_error(self) -> UnreadableFile | None:
        """Return the error for which the csv module stopped; None if only the end of the record is missing."""
        if not self._source.is_exhausted:
            return StrayQuote(line=self._source.record_line)
        return UnclosedQuote(line=self._source.record_line) if self._is_closed else None

    def _fill_batch(self) -> bool:
        """Add records to the batch. Return True if it is full, False if all complete records are used up."""
        # This runs once for every row of every import: attribute lookups are hoisted, and rare cases are elsewhere.
        source, columns, lines, cells = self._source, self._columns, self._lines, self._cells
        used, records = self._used, self._records
        overhead = self._width * _CELL_OVERHEAD + _RECORD_OVERHEAD
        max_rows, max_bytes = self._batch_limits.max_rows, self._batch_limits.max_bytes
        max_cell_characters = self._record_limits.max_cell_characters
        rule = self._dialect.continuation_rows
        rows = self._rows
        if self._held_row is not None:
            rows = chain((self._held_row,), rows)
            self._held_row = None
        size, begin_records = self._bytes, self._begin.records
        offset, line = self._end.offset, self._end.line
        try:
            for row in rows:
                has_text = "".join(row).strip()
                if has_text:
                    length = source.offset - source.record_offset
                    row_size = length + overhead
                    # A character takes at least one byte: a shorter record cannot hold a cell that is too long.
                    is_suspect = source.has_undecodable or length > max_cell_characters
                    if is_suspect or used is not None:
                        row_size += self._extra_bytes(row, length, is_suspect=is_suspect)
                    is_full = size + row_size > max_bytes or len(lines) >= max_rows
                    if is_full and lines and self._can_end_before(row):
                        self._held_row = row  # the next row of the next batch
                        return True
                    if rule is not None and not continues_task(row, rule):
                        begin = Checkpoint(offset=offset, line=line, records=begin_records + len(lines))
                        self._last_task = LastTask(len(lines), begin, size, source.offset)
                    size += row_size
                    if is_suspect or len(row) != columns:
                        self._defects += self._repair(row, len(lines), has_undecodable=source.has_undecodable)
                    lines.append(source.record_line)
                    if used is None:
                        cells += row
                    else:
                        cells += used.select(row)
                        # A large record has its used cells only once, so that the message is not twice as long.
                        is_plain = not is_suspect and size <= max_bytes
                        records.append(source.record_text() if is_plain else used.write_unused(row))
                    offset, line = source.offset, source.line
                source.end_record()
                if not has_text and source.offset - offset > max_bytes:
                    # A long run of blank lines must advance the checkpoint too, or the lease expires.
                    offset, line = source.offset, source.line
                    return True
            return False
        finally:
            self._bytes = size
            self._end = Checkpoint(offset=offset, line=line, records=begin_records + len(lines))

    def _can_end_before(self, row: list[str]) -> bool:
        """Return True if the full batch can end: before the row, or before the task that the row continues."""
        rule, task = self._dialect.continuation_rows, self._last_task
        if rule is None or task is None or not continues_task(row, rule):
            return True
        count = len(self._lines) - task.index
        if count > rule.max_rows or self._source.offset - task.end_offset > rule.max_bytes:
            return True
        self._end_before = task if task.index else None
        return self._end_before is not None

    def _take_batch(self) -> Batch:
        """Return the batch and start the next one, with the rows of the task before which the batch ends."""
        task, self._end_before = self._end_before, None
        end = task.begin if task else self._end
        count = task.index if task else len(self._lines)
        batch = Batch(
            begin=self._begin,
            end=end,
            lines=self._lines[:count],
            cells=self._cells[: count * self._width],
            records=self._records[:count],
            defects=[defect for defect in self._defects if defect.row < count],
        )
        self._begin = end
        self._bytes = _BATCH_OVERHEAD + (self._bytes - task.bytes_before if task else 0)
        self._last_task = replace(task, index=0, bytes_before=_BATCH_OVERHEAD) if task else None
        self._lines, self._cells = self._lines[count:], self._cells[count * self._width :]
        self._records = self._records[count:]
        self._defects = [replace(defect, row=defect.row - count) for defect in self._defects if defect.row >= count]
        return batch

    def _extra_bytes(self, row: list[str], length: int, *, is_suspect: bool) -> int:
        """Return the maximum number of bytes of used cells, undecodable bytes and truncated cells in the message."""
        extra = self._used.max_bytes(row, length) if self._used else 0
        if is_suspect:
            defects = _DEFECT_OVERHEAD * self._columns
            extra += defects + _REPLACEMENT_OVERHEAD * length + defects if self._source.has_undecodable else defects
        return extra


async def parse_batches(parser: RecordParser, chunks: AsyncIterable[bytes]) -> AsyncGenerator[Batch]:
    """Yield the batches of a file that arrives in chunks. Raises UnreadableFile after the batches before the error."""
    async for chunk in chunks:
        for batch in parser.feed(chunk):
            yield batch
    for batch in parser.close():
        yield batch


@contextmanager
def _field_size_limit(limit: int) -> Iterator[None]:
    """Raise the csv module's limit on cells, which is global to the process, while records are parsed."""
    previous_limit = csv.field_size_limit(limit)
    try:
        yield
    finally:
        csv.field_size_limit(previous_limit)
