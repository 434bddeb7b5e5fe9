"""Batches of records, as the worker sends them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from task_service.imports.domain.imports import Checkpoint

Cell = str | tuple[str, ...]
"""Cell of a field, or the cells of several columns that fill the field together."""

RawCells = tuple[str, str, Cell, str, Cell, Cell, str, str, Cell]
"""Cells of a row in the order of Cells, with neutralising apostrophes."""


class Cells(NamedTuple):
    """Cells of a row by field, without neutralising apostrophes. The cell of a missing column is empty."""

    title: str
    description: str
    status: Cell
    """Cell of the status column, or StatusCells."""
    priority: str
    due_date: Cell
    """Cell of the date column, or DateCells."""
    labels: Cell
    """Cell of the only column of labels, or LabelCells as a flat tuple."""
    external_id: str
    assignee: str
    completed_at: Cell = ""
    """Cell of the column of completion times, or DateCells."""


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
