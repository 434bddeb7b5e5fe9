"""Batch that is ready for its transaction."""

from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

from task_service.imports.domain.duplicates import KeyedRow
from task_service.imports.domain.imports import Checkpoint, Counts
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.failed_rows import FailedRow
from task_service.imports.domain.rows.row_selection import RowSelection
from task_service.tasks.domain.task import Values


class PreparedBatch(NamedTuple):
    """A batch after all work that needs no database."""

    source: Batch
    selection: RowSelection
    accepted: list[Values]
    rows: list[Any]
    """Encoded accepted rows, in several pieces; empty in a dry run."""
    failed: list[FailedRow]
    keyed: list[KeyedRow]
    """Accepted rows with an external_id, which may be duplicates."""
    unknown_cells: Counter[str]
    """Number of accepted rows with an unknown cell, by field."""
    unknown_emails: Collection[bytes]
    """Digests of the unknown emails of assignees in all rows, also in rejected ones."""

    @property
    def counts(self) -> Counts:
        """Counts of the rows that can't be duplicates: those without an external_id, rejected or skipped."""
        skipped = len(self.source.lines) - len(self.accepted) - len(self.failed)
        return Counts(created=len(self.accepted) - len(self.keyed), skipped=skipped, failed=len(self.failed))

    @property
    def begin(self) -> Checkpoint:
        return self.source.begin

    @property
    def end(self) -> Checkpoint:
        return self.source.end
