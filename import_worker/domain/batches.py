"""Consecutive records on their way to the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from import_worker.domain.checkpoints import Checkpoint


class DefectKind(Enum):
    """What the reader itself finds wrong with a record; values are judged by the receiver."""

    TOO_MANY_CELLS = "too many cells"
    UNDECODABLE = "undecodable"
    CELL_TOO_LONG = "cell too long"


@dataclass(frozen=True, slots=True)
class Defect:
    """A record that can't be handed over as it stands in the file.

    row: the record's place in its batch, from 0.
    cell: how many cells there are (TOO_MANY_CELLS), or the place of the cell with the bad bytes (UNDECODABLE) or that
        was cut (CELL_TOO_LONG), from 0.
    surplus: the cells that are too many, joined as they were.
    """

    row: int
    kind: DefectKind
    cell: int
    surplus: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records one after the other, wrong ones too, from `begin` to `end`.

    `begin` is the `end` of the batch before, and blank lines between the two belong to the later one; unless they are
    many: then they end a batch, which may hold nothing else.
    lines: the physical line that each record begins at.
    cells: every record's cells in one flat list, each record exactly as many as the header line has.
    """

    begin: Checkpoint
    end: Checkpoint
    lines: Sequence[int]
    cells: Sequence[str]
    defects: Sequence[Defect]


class Ending(Enum):
    """Why no more batches follow, when nothing is wrong with the file."""

    END_OF_FILE = "end of file"
    GIVE_BACK = "give back"
