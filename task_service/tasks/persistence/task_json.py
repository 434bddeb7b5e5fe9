"""A task as JSON, for what keeps whole tasks beside the table of tasks."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from task_service.tasks.domain.task import Task
from task_service.tasks.domain.values import Priority, Status

_MOMENTS = ("created_at", "updated_at", "completed_at", "deleted_at", "purge_at")


def json_of(task: Task) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, UUID) else value
        for name, value in task._asdict().items()
    }


def task_of(stored: dict[str, Any]) -> Task:
    values = dict(stored)
    for name in _MOMENTS:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    for name in ("id", "owner_id", "assignee_id", "import_id"):
        values[name] = UUID(values[name]) if values[name] else None
    values["due_date"] = date.fromisoformat(values["due_date"]) if values["due_date"] else None
    values["labels"] = tuple(values["labels"])
    values |= {"status": Status(values["status"]), "priority": Priority(values["priority"])}
    return Task(**values)
