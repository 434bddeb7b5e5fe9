"""Places in an uploaded file, and how the file is written."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place between two records.

    offset: the byte that the next record, or a blank line before it, begins at.
    line: the physical line at that byte; the header line is 1.
    records: how many records lie before it, the header not counted.
    """

    offset: int
    line: int
    records: int


@dataclass(frozen=True, slots=True)
class Dialect:
    """The character between cells, how many cells each record should have, and how bytes become text."""

    delimiter: str
    columns: int
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class RecordLimits:
    """How long a record may be, in bytes of the file, and a cell, in characters."""

    record_bytes: int = 1024 * 1024
    cell_characters: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one import under one fence. `size` is the file's, in bytes."""

    import_id: str
    fence: int
    dialect: Dialect
    checkpoint: Checkpoint
    size: int
    limits: RecordLimits = RecordLimits()


@dataclass(frozen=True, slots=True)
class Progress:
    """The server's word on how far an import has come.

    finished: there is nothing more to do under this lease.
    """

    checkpoint: Checkpoint
    others_wait: bool
    finished: bool
