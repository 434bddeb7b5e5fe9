"""CSV bytes into batches of records."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from import_worker.domain.batches import Batch, Defect, DefectKind
from import_worker.domain.checkpoints import Checkpoint, Dialect, RecordLimits
from import_worker.domain.errors import StrayQuote, UnclosedQuote, UnreadableFile
from import_worker.domain.physical_lines import PhysicalLines

# What a message holds beyond the record's bytes in the file, at most: three bytes more for each cell (its delimiter
# counted already), the number of its line and one defect; for undecodable bytes U+FFFD, which is three bytes long;
# once for all the two checkpoints.
_CELL_OVERHEAD = 3
_RECORD_OVERHEAD = 24
_DEFECT_OVERHEAD = 15
_REPLACEMENT_GROWTH = 2
_BATCH_OVERHEAD = 80


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much a batch may hold, in rows and in bytes of its message."""

    rows: int = 2000
    size: int = 512 * 1024


class RecordReader:
    """Reads records from a checkpoint to the end of the file, in constant memory.

    Iterating yields the batches and then, when something in the file can't be read, raises an UnreadableFile:
    the records before it have been yielded by then. Every batch's end is a checkpoint to read on from.

    Text behind a closing quote is refused (RFC 4180 section 2), although Python's reader takes it unless it is strict:
    nobody knows then which quotes were meant as such. A quote in a cell that does not begin with one is plain text.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        begin: Checkpoint,
        dialect: Dialect,
        size: int,
        batches: BatchLimits,
        limits: RecordLimits,
    ) -> None:
        self._columns = dialect.columns
        self._delimiter = dialect.delimiter
        self._batches = batches
        self._limits = limits
        self._source = PhysicalLines(
            chunks, begin=begin, size=size, record_limit=limits.record_bytes, encoding=dialect.encoding
        )
        self._rows = csv.reader(self._source, delimiter=dialect.delimiter, strict=True)
        self._end = begin
        self._held: list[str] | None = None
        self._failure: UnreadableFile | None = None

    def __iter__(self) -> Iterator[Batch]:
        while self._failure is None and not (self._source.exhausted and self._held is None):
            with _field_size_limit(self._limits.record_bytes):
                batch = self._read_batch()
            if batch.end != batch.begin:
                yield batch
        if self._failure is not None:
            raise self._failure

    def _read_batch(self) -> Batch:
        """Read until the batch is full, the file ends, or it can't be read any further: `_failure` is set then."""
        begin = self._end
        lines: list[int] = []
        cells: list[str] = []
        defects: list[Defect] = []
        try:
            self._fill(lines, cells, defects)
        except UnreadableFile as failure:
            self._failure = failure
        except csv.Error:
            kind = UnclosedQuote if self._source.exhausted else StrayQuote
            self._failure = kind(line=self._source.record_line)
        return Batch(begin=begin, end=self._end, lines=lines, cells=cells, defects=defects)

    def _fill(self, lines: list[int], cells: list[str], defects: list[Defect]) -> None:
        # Runs once for every row of every import: attribute look-ups are hoisted, and what few rows need is elsewhere.
        source, columns = self._source, self._columns
        overhead = columns * _CELL_OVERHEAD + _RECORD_OVERHEAD
        most_rows, most_bytes, longest = self._batches.rows, self._batches.size, self._limits.cell_characters
        rows: Iterable[list[str]] = self._rows
        if self._held is not None:
            rows = chain((self._held,), rows)
            self._held = None
        size, records = _BATCH_OVERHEAD, self._end.records
        offset, line = self._end.offset, self._end.line
        try:
            for row in rows:
                if row:
                    length = source.offset - source.record_offset
                    size += length + overhead
                    # A character is a byte at the least: no shorter record holds a cell that is too long.
                    is_odd = source.damaged or length > longest
                    if is_odd:
                        size += self._oddity(length)
                    if size > most_bytes and lines:
                        self._held = row
                        return
                    if is_odd or len(row) != columns:
                        self._mend(row, len(lines), defects)
                    lines.append(source.record_line)
                    cells += row
                    offset, line = source.offset, source.line
                source.next_record()
                if len(lines) == most_rows:
                    return
                if not row and source.offset - offset > most_bytes:
                    # Blank lines and no end of them: the checkpoint goes on, lest the lease run out over them.
                    offset, line = source.offset, source.line
                    return
        finally:
            self._end = Checkpoint(offset=offset, line=line, records=records + len(lines))

    def _oddity(self, length: int) -> int:
        """Return what undecodable bytes, and cells that are too long, may add to the message."""
        cut = _DEFECT_OVERHEAD * self._columns
        return cut + _REPLACEMENT_GROWTH * length + cut if self._source.damaged else cut

    def _mend(self, row: list[str], place: int, defects: list[Defect]) -> None:
        """Make the record one that can be handed over, and tell what was wrong with it."""
        if self._source.damaged:
            self._replace(row, place, defects)
        if len(row) != self._columns:
            self._level(row, place, defects)
        self._cut(row, place, defects)

    def _replace(self, row: list[str], place: int, defects: list[Defect]) -> None:
        """Put U+FFFD where the record's bytes are not UTF-8."""
        for index, cell in enumerate(row):
            mended = cell.encode(errors="surrogateescape").decode(errors="replace")
            if mended != cell:
                row[index] = mended
                if index < self._columns:
                    defects.append(Defect(row=place, kind=DefectKind.UNDECODABLE, cell=index))

    def _cut(self, row: list[str], place: int, defects: list[Defect]) -> None:
        """Leave of each cell what it may hold."""
        longest = self._limits.cell_characters
        for index, cell in enumerate(row):
            if len(cell) > longest:
                row[index] = cell[:longest]
                defects.append(Defect(row=place, kind=DefectKind.CELL_TOO_LONG, cell=index))

    def _level(self, row: list[str], place: int, defects: list[Defect]) -> None:
        """Give the row as many cells as the header line has."""
        if len(row) > self._columns:
            surplus = self._delimiter.join(row[self._columns :])
            defects.append(Defect(row=place, kind=DefectKind.TOO_MANY_CELLS, cell=len(row), surplus=surplus))
            del row[self._columns :]
        else:
            row.extend([""] * (self._columns - len(row)))


@contextmanager
def _field_size_limit(limit: int) -> Iterator[None]:
    """Lift csv's own limit on cells, which is the process's, for as long as a batch is read; ours is on records."""
    before = csv.field_size_limit(limit)
    try:
        yield
    finally:
        csv.field_size_limit(before)
