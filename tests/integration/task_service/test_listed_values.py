"""Values of listed tasks: the same as those that GetTask and CSV files show."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

import psycopg
import pytest
from taskmanager.tasks.v1 import task_pb2, task_service_pb2
from uuid_utils.compat import uuid7

from task_service.tasks.domain.task import Task, TaskDraft, new_task
from task_service.tasks.domain.values import Priority, Status
from task_service.tasks.persistence.task_rows import encode_task
from tests.integration.task_service.calls import get

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TIMES = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1899, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    EPOCH - timedelta(seconds=1),
    EPOCH - MICROSECOND,
    EPOCH,
    EPOCH + MICROSECOND,
    datetime(2026, 3, 29, 1, 30, 0, 123_456, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)
TIME_FIELDS = ("created_at", "updated_at", "completed_at", "deleted_at", "purge_at")
TEXTS = ("Äpfel", "\\", '{"NULL"}', "'; --", "😀\u0301", "NULL", "x" * 20_000)


def tasks_of(owner_id: UUID) -> list[Task]:
    """Return tasks of which each has other values: none, all, and the extreme ones of each field."""
    plain = new_task(TaskDraft(title="Plain").validate(), task_id=uuid7(), owner_id=owner_id)
    variants: list[dict[str, Any]] = [
        {},
        {"assignee_id": UUID(int=0), "import_id": UUID(int=2**128 - 1), "external_id": "A-1", "labels": ("a", "b c")},
        {"labels": TEXTS[:-1], "revision": 2**63 - 1},
        *({"status": status, "priority": priority} for status in Status for priority in Priority),
        *({"due_date": day} for day in (date.min, date(999, 2, 28), date(2024, 2, 29), date.max)),
        *({name: time} for name in TIME_FIELDS for time in TIMES),
        *({"title": text[:500], "description": text, "external_id": text[:200]} for text in TEXTS),
    ]
    return [plain._replace(id=uuid7(), **values) for values in variants]


@pytest.fixture
def tasks(database, sonu) -> list[Task]:
    """Tasks of sonu with all kinds of values, in the order of their ids."""
    created = tasks_of(UUID(sonu.id))
    names, placeholders = ", ".join(Task._fields), ", ".join(["%s"] * len(Task._fields))
    with psycopg.connect(database.tasks_url) as connection:
        connection.cursor().executemany(
            f"INSERT INTO tasks.tasks ({names}) VALUES ({placeholders})", [encode_task(task) for task in created]
        )
    return created


async def list_tasks(system, person, **fields) -> list[task_pb2.Task]:
    """Return the tasks of all pages."""
    found, token = [], ""
    while True:
        request = task_service_pb2.ListTasksRequest(page_size=20, page_token=token, **fields)
        page = await system.tasks.ListTasks(request, metadata=person.metadata)
        found += page.tasks
        token = page.next_page_token
        if not token:
            return found


async def test_listed_task_equals_the_task_of_get(system, sonu, tasks):
    """Lists of all orders, with an index or sorted, have the same messages as GetTask."""
    expected = [await get(system, sonu, str(task.id)) for task in tasks]
    assert await list_tasks(system, sonu, order_by="created_at", show_deleted=True) == expected
    live = [task for task in expected if not task.HasField("deleted_at")]
    assert len(live) == len(expected) - len(TIMES)
    for order in ("updated_at", "due_date", "priority", "title"):
        listed = await list_tasks(system, sonu, order_by=order)
        assert sorted(listed, key=attrgetter("id")) == live, order


async def test_exported_row_has_the_values_of_get(system, sonu, tasks):
    """The cells of words and dates are those of the file."""
    request = task_service_pb2.ExportTasksRequest(order_by="created_at", show_deleted=True)
    text = b"".join([body.data async for body in system.tasks.ExportTasks(request, metadata=sonu.metadata)]).decode()
    rows = csv.DictReader(io.StringIO(text, newline=""))
    assert [(row["status"], row["priority"], row["due_date"]) for row in rows] == [
        (task.status, task.priority, task.due_date.isoformat() if task.due_date else "") for task in tasks
    ]
