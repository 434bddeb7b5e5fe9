"""An import: a file on its way to becoming tasks, and the row errors it leaves."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from chassis.kernel import Caller
from task_service.domain.history import Actor


class State(StrEnum):
    """Where an import stands."""

    UPLOADING = "uploading"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

LONGEST_FILE_NAME = 255


class Failure(NamedTuple):
    """Why a file could not be read to its end. `line` is 0 when no line is to blame."""

    code: str
    message: str
    line: int = 0


NO_PROGRESS = Failure("NO_PROGRESS", "Five workers in a row gave up on the file without getting any further.", 0)
FILE_CHANGED = Failure("STORED_FILE_CHANGED", "The stored file is not the one that was uploaded.", 0)

PARSE_FAILURES = {
    "UNCLOSED_QUOTE": "A quote opened in the record that begins at line {line} is never closed.",
    "RECORD_TOO_LARGE": "The record that begins at line {line} is over the limit.",
    "STRAY_QUOTE": "The record that begins at line {line} has text behind a closing quote.",
    "FILE_CUT_SHORT": "The stored file ends before its recorded size.",
}


def parse_failure(code: str, line: int) -> Failure:
    """What the parser could not go on from."""
    return Failure(code, PARSE_FAILURES[code].format(line=line), line)


class Checkpoint(NamedTuple):
    """A place between two records: bytes, physical line (the header is line 1), records done."""

    offset: int
    line: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One uploaded file and how far it has come."""

    id: UUID
    owner_id: UUID
    state: State
    file_name: str
    bytes_total: int
    bytes_read: int
    rows_created: int
    rows_failed: int
    warnings: tuple[str, ...]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: Failure | None

    @property
    def rows_read(self) -> int:
        return self.rows_created + self.rows_failed

    def is_visible_to(self, caller: Caller) -> bool:
        return caller.sees_everything or self.owner_id == caller.id


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImport:
    """An upload that begins."""

    id: UUID
    owner_id: UUID
    actor: Actor
    file_name: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on one import, and all that reading it takes."""

    import_id: UUID
    fence: int
    delimiter: str
    columns: int
    checkpoint: Checkpoint
    size: int
    fruitless_claims: int
    """Claims in a row, this one included, since the checkpoint last moved."""


class IngestContext(NamedTuple):
    """What the rows of one import have in common. Read from the import's row, never from a message."""

    import_id: UUID
    owner_id: UUID
    actor: Actor
    fields: tuple[str, ...]


class RowError(NamedTuple):
    """One thing wrong with one row. The order of the fields is the order of the table's columns behind the id."""

    record: int
    line: int
    column: str
    value: str
    code: str
    message: str
