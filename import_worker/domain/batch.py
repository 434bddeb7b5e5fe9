"""Consecutive records that are sent in one message."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from import_worker.domain.lease import Checkpoint


class DefectKind(Enum):
    """Kinds of defect that the parser finds. The server validates values."""

    TOO_MANY_CELLS = "too many cells"
    UNDECODABLE = "undecodable"
    CELL_TOO_LONG = "cell too long"


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect of one record, whose cells in the batch differ from those in the file.

    row: index of the record in its batch.
    cell: number of cells (TOO_MANY_CELLS), or index of the cell that has undecodable bytes (UNDECODABLE) or was
        truncated (CELL_TOO_LONG).
    surplus: surplus cells, joined by the delimiter (TOO_MANY_CELLS).
    """

    row: int
    kind: DefectKind
    cell: int
    surplus: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records from `begin` to `end`, those with defects included.

    `begin` is the `end` of the previous batch. Blank lines between two batches belong to the later one. A long run of
    blank lines ends a batch, which may then hold no record.
    lines: first physical line of each record.
    cells: cells of all records in one flat list; every record has as many as the header, or as there are used columns.
    records: if there are used columns, the text of each record. In the text, cells of used columns may be empty.
    """

    begin: Checkpoint
    end: Checkpoint
    lines: Sequence[int]
    cells: Sequence[str]
    defects: Sequence[Defect]
    records: Sequence[str] = ()


class FinishReason(Enum):
    """Reasons to finish a stream when the file is readable. An unreadable file is reported as its error."""

    END_OF_FILE = "end of file"
    LEASE_RELEASED = "lease released"
