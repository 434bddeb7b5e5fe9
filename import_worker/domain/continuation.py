"""Rows that continue the task above them, which belong to the batch of that task."""

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import normalize

from import_worker.domain.lease import Checkpoint, ContinuationRows


@dataclass(frozen=True, slots=True)
class LastTask:
    """The last row of a task in a batch, and the state of the parser before and after it.

    index: index of the row in the batch.
    begin: end of the row before it.
    bytes_before: size of the batch without it.
    end_offset: byte after it.
    """

    index: int
    begin: Checkpoint
    bytes_before: int
    end_offset: int


def continues_task(row: Sequence[str], rule: ContinuationRows) -> bool:
    """Return True if the row continues the task above it."""
    cell = row[rule.column] if rule.column < len(row) else ""
    return text_key(cell) in rule.keys


def text_key(cell: str) -> str:
    """Return the key of a cell, as the contract defines it."""
    return normalize("NFC", cell.strip().lower().replace("-", "_").replace(" ", "_")).casefold()
