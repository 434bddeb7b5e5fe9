"""Cells of a row by field."""

from typing import NamedTuple

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
