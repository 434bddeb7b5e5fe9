"""Rows whose external_id a task has already: they are refused, passed over, or change that task."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from task_service.tasks.domain.task import Task, Values


class OnDuplicate(StrEnum):
    """What becomes of a row whose external_id is taken."""

    FAIL = "fail"
    SKIP = "skip"
    UPDATE = "update"


class KeyedRow(NamedTuple):
    """A row that is right so far and has an external_id."""

    place: int
    """Among the rows of its batch that are right so far, from 0."""
    number: int
    """Among all rows of its batch, from 0."""
    values: Values
    changes: Mapping[str, Any]
    """What it says of a task that is there already."""


class TaskChange(NamedTuple):
    """One row's effect on a task."""

    before: Task
    after: Task


class Resolution(NamedTuple):
    """What becomes of rows; each is in exactly one of these."""

    made: list[KeyedRow]
    """They become tasks."""
    changes: list[TaskChange]
    """In the order of the rows; several of one task follow one another."""
    unchanged: list[KeyedRow]
    skipped: list[KeyedRow]
    refused: list[KeyedRow]
    later: list[KeyedRow]
    """They change tasks that `made` makes, and are to be resolution when those are there."""

    @property
    def results(self) -> dict[str, Task]:
        """The last state of each task that changes, by its external_id."""
        return {change.after.external_id: change.after for change in self.changes}


def resolve_duplicates(
    rule: OnDuplicate, rows: Sequence[KeyedRow], existing: Mapping[str, Task], now: datetime
) -> Resolution:
    """Settles rows, in their order, against the owner's live tasks by external_id."""
    tasks = dict(existing)
    new: set[str] = set()
    resolution = Resolution([], [], [], [], [], [])
    for row in rows:
        key = row.values.external_id
        if key not in tasks and key not in new:
            new.add(key)
            resolution.made.append(row)
        elif rule is OnDuplicate.FAIL:
            resolution.refused.append(row)
        elif rule is OnDuplicate.SKIP:
            resolution.skipped.append(row)
        elif key in new:
            resolution.later.append(row)
        elif (after := tasks[key].changed(row.changes, now)) is tasks[key]:
            resolution.unchanged.append(row)
        else:
            resolution.changes.append(TaskChange(tasks[key], after))
            tasks[key] = after
    return resolution
