"""Duplicates: rows with the external_id of an existing task. They fail, are skipped, or update that task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from task_service.tasks.domain.task import Task, Values


class OnDuplicate(StrEnum):
    """Treatment of a row with the external_id of an existing task."""

    FAIL = "fail"
    SKIP = "skip"
    UPDATE = "update"


class KeyedRow(NamedTuple):
    """A valid row with an external_id."""

    accepted_index: int
    """Index among the accepted rows of its batch."""
    row_index: int
    """Index among all rows of its batch."""
    values: Values
    changes: Mapping[str, Any]
    """New values for an existing task."""


class TaskChange(NamedTuple):
    """Effect of one row on an existing task."""

    before: Task
    after: Task


@dataclass(slots=True, kw_only=True)
class Resolution:
    """Result for each row; every row is in exactly one list."""

    created: list[KeyedRow] = field(default_factory=list)
    """Rows that create tasks."""
    changes: list[TaskChange] = field(default_factory=list)
    """In row order. A task can have several changes."""
    unchanged: list[KeyedRow] = field(default_factory=list)
    skipped: list[KeyedRow] = field(default_factory=list)
    rejected: list[KeyedRow] = field(default_factory=list)
    deferred: list[KeyedRow] = field(default_factory=list)
    """Rows whose external_id an earlier row of this batch creates. Resolve them after those tasks exist."""

    @property
    def results(self) -> dict[str, Task]:
        """Last state of each changed task, by external_id."""
        return {change.after.external_id: change.after for change in self.changes}


def resolve_duplicates(
    rule: OnDuplicate, rows: Sequence[KeyedRow], existing: Mapping[str, Task], now: datetime
) -> Resolution:
    """Resolve rows in their order against the owner's live tasks by external_id."""
    tasks = dict(existing)
    new: set[str] = set()
    resolution = Resolution()
    for row in rows:
        key = row.values.external_id
        if key not in tasks and key not in new:
            new.add(key)
            resolution.created.append(row)
        elif rule is OnDuplicate.FAIL:
            resolution.rejected.append(row)
        elif rule is OnDuplicate.SKIP:
            resolution.skipped.append(row)
        elif key in new:
            resolution.deferred.append(row)
        elif (after := tasks[key].changed(row.changes, now)) is tasks[key]:
            resolution.unchanged.append(row)
        else:
            resolution.changes.append(TaskChange(tasks[key], after))
            tasks[key] = after
    return resolution
