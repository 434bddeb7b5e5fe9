"""Batches of records, as the worker sends them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from task_service.imports.domain.imports import Checkpoint


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
