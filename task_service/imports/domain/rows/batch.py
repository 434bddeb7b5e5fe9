"""Batches of records, as the worker sends them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from task_service.imports.domain.errors import MalformedBatch
from task_service.imports.domain.imports import Checkpoint
from task_service.imports.domain.rows.ingest_context import IngestContext


class Defect(NamedTuple):
    """A defect that the parser found in a record."""

    kind: str
    """TOO_MANY_CELLS, UNDECODABLE or CELL_TOO_LONG."""
    cell: int
    """Number of cells, or the index of the cell that can't be decoded or was truncated."""
    surplus: str = ""
    """The surplus cells, joined."""


class Batch(NamedTuple):
    """Consecutive records: the cells of their used columns in order, and the first line of each record."""

    begin: Checkpoint
    end: Checkpoint
    lines: Sequence[int]
    cells: Sequence[str]
    defects: Mapping[int, Sequence[Defect]]
    """By index of the row in the batch."""
    records: Sequence[str] = ()
    """Text of each record, if there are unused columns."""

    def check(self, context: IngestContext) -> None:
        """Raise MalformedBatch when the parts of the batch contradict each other or the file."""
        begin, end, lines = self.begin, self.end, self.lines
        rows, columns = len(lines), len(context.fields)
        if len(self.cells) != rows * columns:
            raise MalformedBatch(problem=f"{len(self.cells)} cells for {rows} rows of {columns} columns")
        if len(self.records) != (rows if context.used_columns else 0):
            raise MalformedBatch(problem=f"{len(self.records)} records for {rows} rows")
        if end.records - begin.records != rows or end.offset < begin.offset:
            raise MalformedBatch(problem="the end does not match the number of rows")
        if end.offset > context.size:
            raise MalformedBatch(problem="the end is after the end of the file")
        first, last = min(lines, default=begin.line), max(lines, default=end.line)
        # Each line has at least one byte, its line end.
        if not begin.line <= first <= last <= end.line <= context.size + 1:
            raise MalformedBatch(problem="a line number is outside the range from begin to end")
        if not all(0 <= row < rows for row in self.defects):
            raise MalformedBatch(problem="a defect is in no row of the batch")
