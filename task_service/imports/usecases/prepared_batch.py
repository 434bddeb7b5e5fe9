"""Batch that is ready for its transaction."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from task_service.imports.domain.duplicates import KeyedRow
from task_service.imports.domain.imports import Checkpoint, Counts
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.conversion import ConvertedRows
from task_service.imports.domain.rows.failed_rows import FailedRow
from task_service.imports.domain.rows.row_selection import RowSelection
from task_service.tasks.domain.task import Values


@dataclass(slots=True, kw_only=True)
class PreparedBatch:
    """A batch after all work that needs no database."""

    source: Batch
    selection: RowSelection
    unknown_emails: Collection[bytes] = ()
    """Digests of the unknown emails of assignees in all rows, also in rejected ones."""
    accepted: list[Values] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    """Encoded accepted rows, in several pieces; empty in a dry run."""
    failed: list[FailedRow] = field(default_factory=list)
    keyed: list[KeyedRow] = field(default_factory=list)
    """Accepted rows with an external_id, which may be duplicates."""
    unknown_cells: Counter[str] = field(default_factory=Counter)
    """Number of accepted rows with an unknown cell, by field."""

    def add(self, converted: ConvertedRows) -> None:
        """Add the result of a step."""
        self.accepted.extend(converted.accepted)
        self.failed.extend(converted.failed)
        self.keyed.extend(converted.keyed)
        self.unknown_cells.update(converted.unknown_fields)

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
