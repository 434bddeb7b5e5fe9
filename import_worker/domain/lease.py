"""A lease on an import, and the checkpoints within its file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A position between two records of a file.

    offset: byte at which the next record begins, or the blank lines before it.
    line: physical line at that byte. The header is line 1.
    records: number of records before it, without the header.
    """

    offset: int
    line: int
    records: int


@dataclass(frozen=True, slots=True)
class ContinuationRows:
    """Rows that continue the task above them: the key of the cell in `column` is one of `keys`.

    max_rows: maximum number of rows that continue one task.
    max_bytes: maximum bytes from the end of the task's row to the end of the last row that continues it.
    """

    column: int
    keys: frozenset[str]
    max_rows: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Dialect:
    """Format of a file: the delimiter between cells, the number of cells in each record, and the text encoding.

    continuation_rows: rows that continue the task above them.
    used_columns: indexes of the columns whose cells a batch has, in order; empty for all columns.
    """

    delimiter: str
    columns: int
    encoding: str = "utf-8"
    continuation_rows: ContinuationRows | None = None
    used_columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordLimits:
    """Maximum size of a record, in bytes of the file, and of a cell, in characters."""

    max_record_bytes: int = 1024 * 1024
    max_cell_characters: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to process one import, valid for one fence. `size` is the file's, in bytes.

    request_id: request id of the upload, for the logs of all services.
    traceparent: span of the upload (W3C Trace Context); empty for none.
    """

    import_id: str
    fence: int
    dialect: Dialect
    checkpoint: Checkpoint
    size: int
    limits: RecordLimits = RecordLimits()
    request_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """The server's report on an import.

    checkpoint: end of what is committed.
    has_pending: other imports wait for a worker.
    is_finished: the lease has ended; nothing more can be sent.
    """

    checkpoint: Checkpoint
    has_pending: bool
    is_finished: bool
