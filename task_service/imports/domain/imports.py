"""Imports: states, failures, counts, leases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.identity import Caller
from task_service.access import sees_all
from task_service.history.domain.events import Actor
from task_service.imports.domain.cells.assignees import MAX_UNKNOWN_EMAILS
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import ImportNotEnded, ImportStillUploading, NothingToUndo, UnknownParseFailure
from task_service.imports.domain.options.row_rules import ColumnCondition
from task_service.imports.domain.options.upload_options import UploadOptions
from task_service.imports.domain.undo import Undo
from task_service.tasks.domain.values import Status


class State(StrEnum):
    """State of an import."""

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


class WaitReason(StrEnum):
    """Reason why a queued import waits for longer than for a worker. The file is not to blame."""

    DATABASE = "database"
    AUTH_SERVICE = "auth_service"
    OBJECT_STORE = "object_store"
    OPERATOR = "operator"


class Failure(NamedTuple):
    """Reason of a failed import. `line` is 0 if no line is the cause."""

    code: str
    message: str
    line: int = 0


NO_PROGRESS = Failure("NO_PROGRESS", "Five attempts in a row made no progress in the file.", 0)
OWNER_DISABLED = Failure("OWNER_DISABLED", "The owner's account was disabled or deleted.", 0)
FILE_CHANGED = Failure("STORED_FILE_CHANGED", "The stored file differs from the uploaded one.", 0)

TOO_MANY_UNKNOWN_EMAILS = Failure(
    "TOO_MANY_UNKNOWN_EMAILS",
    f"More than {MAX_UNKNOWN_EMAILS} different emails of assignees belong to no user. Correct them, or ignore their "
    'column with the option mapping, for example {"Assignee Email": null}.',
)


def too_many_errors(limit: int) -> Failure:
    """Return the failure of an import with more invalid rows than max_errors."""
    return Failure("TOO_MANY_ERRORS", f"More than {limit} rows are invalid (option max_errors).", 0)


PARSE_FAILURES = {
    "UNCLOSED_QUOTE": "A quote opened in the record that begins at line {line} is never closed.",
    "RECORD_TOO_LARGE": "The record that begins at line {line} is larger than the limit.",
    "STRAY_QUOTE": "The record that begins at line {line} has text after a closing quote.",
    "FILE_CUT_SHORT": "The stored file ends before its recorded size.",
}


def parse_failure(code: str, line: int) -> Failure:
    """Return the failure for a parse error. Raises UnknownParseFailure."""
    if code not in PARSE_FAILURES or line < 0:
        raise UnknownParseFailure
    return Failure(code, PARSE_FAILURES[code].format(line=line), line)


class Checkpoint(NamedTuple):
    """Position between two records: byte offset, physical line (the header is line 1), number of records before it."""

    offset: int
    line: int
    records: int


class Counts(NamedTuple):
    """Numbers of rows by result."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An uploaded file and the progress of its import."""

    id: UUID
    owner_id: UUID
    state: State
    file_name: str
    bytes_total: int
    bytes_read: int
    rows: Counts
    warnings: tuple[str, ...]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: Failure | None
    failed_rows_kept: int
    validate_only: bool
    undo: Undo | None
    progressed_at: datetime | None
    """Time of the last committed batch."""
    waits_for: WaitReason | None
    """Set while the import is queued again after an outage."""
    options: UploadOptions
    """Options that the import runs with, those of its source included. Not set while the file is being uploaded."""
    source_detected: str
    """Source that was recognised by the column names."""

    @property
    def rows_read(self) -> int:
        return sum(self.rows)

    @property
    def rows_per_second(self) -> int:
        """Rows per second since the first claim, including pauses; 0 before the first batch."""
        return round(self.rows_read / self._seconds) if self._seconds else 0

    @property
    def seconds_left(self) -> int:
        """Estimated time left at this rate; 0 if unknown."""
        if self.state.is_final or not self._seconds or not self.bytes_read:
            return 0
        return ceil((self.bytes_total - self.bytes_read) * self._seconds / self.bytes_read)

    @property
    def _seconds(self) -> float:
        if self.started_at is None or self.progressed_at is None:
            return 0.0
        return (self.progressed_at - self.started_at).total_seconds()

    @property
    def is_over(self) -> bool:
        """True when the import and its undo have ended."""
        return self.state.is_final and (self.undo is None or self.undo.finished_at is not None)

    def ensure_undoable(self) -> None:
        """Raise ImportStillUploading, ImportNotEnded or NothingToUndo unless the import can be undone."""
        if self.state is State.UPLOADING:
            raise ImportStillUploading
        if not self.state.is_final:
            raise ImportNotEnded(state=self.state)
        if self.validate_only:
            raise NothingToUndo

    def is_visible_to(self, caller: Caller) -> bool:
        return sees_all(caller) or self.owner_id == caller.id


class Defaults(NamedTuple):
    """Values of new tasks whose cell is empty or missing."""

    status: str = ""
    assignee_id: UUID | None = None
    labels: Sequence[str] = ()

    @property
    def initial_status(self) -> Status:
        return Status(self.status) if self.status else Status.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImport:
    """An import at the start of its upload."""

    id: UUID
    owner_id: UUID
    actor: Actor
    file_name: str
    created_at: datetime
    validate_only: bool
    max_errors: int
    defaults: Defaults
    on_duplicate: OnDuplicate


class RecordLimits(NamedTuple):
    """Maximum size of a record in bytes, and of a cell in characters."""

    record_bytes: int
    cell_characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Right of one worker to process an import, with the data that it needs to read the file."""

    import_id: UUID
    owner_id: UUID
    fence: int
    encoding: str
    delimiter: str
    columns: int
    continuation: ColumnCondition | None
    """Rows that continue the task above them."""
    used_columns: tuple[int, ...]
    """Indexes of the columns whose cells the worker sends; empty for all."""
    checkpoint: Checkpoint
    size: int
    attempts_without_progress: int
    """Claims since the checkpoint last advanced, including this one, without those that were given back."""
    waited_seconds: float | None
    """Time in the queue before this claim. None: the claim takes over an import whose lease expired."""
    request_id: str
    """Request id of the upload."""
    traceparent: str
    """Span of the upload (W3C Trace Context); empty for none."""
