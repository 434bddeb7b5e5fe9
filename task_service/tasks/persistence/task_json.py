"""Tasks as JSON, for tables that store whole tasks: stored responses, dry runs and undo snapshots."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_upsert import UpsertOutcome, UpsertResult
from task_service.tasks.domain.values import Priority, Status

_TIME_FIELDS = ("created_at", "updated_at", "completed_at", "deleted_at", "purge_at")


def task_to_json(task: Task) -> dict[str, Any]:
    """Return the task as a JSON object."""
    return {
        name: value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, UUID) else value
        for name, value in task._asdict().items()
    }


def task_from_json(stored: dict[str, Any]) -> Task:
    """Return the task of a JSON object from `task_to_json`."""
    values = dict(stored)
    for name in _TIME_FIELDS:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    for name in ("id", "owner_id", "assignee_id", "import_id"):
        values[name] = UUID(values[name]) if values[name] else None
    values["due_date"] = date.fromisoformat(values["due_date"]) if values["due_date"] else None
    values["labels"] = tuple(values["labels"])
    values |= {"status": Status(values["status"]), "priority": Priority(values["priority"])}
    return Task(**values)


def tasks_to_json(tasks: Iterable[Task]) -> list[dict[str, Any]]:
    return [task_to_json(task) for task in tasks]


def tasks_from_json(stored: Iterable[dict[str, Any]]) -> tuple[Task, ...]:
    return tuple(map(task_from_json, stored))


def upsert_results_to_json(results: Iterable[UpsertResult]) -> list[dict[str, Any]]:
    return [{"outcome": result.outcome, "task": task_to_json(result.task)} for result in results]


def upsert_results_from_json(stored: Iterable[dict[str, Any]]) -> tuple[UpsertResult, ...]:
    return tuple(UpsertResult(UpsertOutcome(result["outcome"]), task_from_json(result["task"])) for result in stored)
