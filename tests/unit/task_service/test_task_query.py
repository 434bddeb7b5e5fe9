"""Lists that may read many more rows than they return."""

from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from task_service.tasks.domain.task_query import DeletedFilter, Order, TaskQuery
from task_service.tasks.domain.values import Priority, Status

TIME = datetime(2026, 1, 1, tzinfo=UTC)
INDEXED: dict[str, Any] = {
    "visible_to": uuid7(),
    "owner_id": uuid7(),
    "created_before": TIME,
    "created_after": TIME,
    "descending": False,
    "ids": (uuid7(),),
}
OTHERS: dict[str, Any] = {
    "external_id": "a",
    "statuses": (Status.COMPLETED,),
    "priorities": (Priority.HIGH,),
    "labels_any": ("a",),
    "labels_all": ("a",),
    "labels_none": ("a",),
    "assignee_id": uuid7(),
    "import_id": uuid7(),
    "due_before": date(2026, 1, 1),
    "due_after": date(2026, 1, 1),
    "no_due_date": True,
    "updated_before": TIME,
    "updated_after": TIME,
    "completed_before": TIME,
    "completed_after": TIME,
    "overdue": True,
    "words": ("a",),
    "deleted": DeletedFilter.ONLY,
    "order": Order.TITLE,
}


def test_every_filter_is_here():
    assert {field.name for field in fields(TaskQuery)} == INDEXED.keys() | OTHERS.keys()


@pytest.mark.parametrize("name", [None, *INDEXED])
def test_indexed_filters_never_scan(name):
    assert not TaskQuery(**({name: INDEXED[name]} if name else {})).may_scan


@pytest.mark.parametrize("name", OTHERS)
def test_other_filters_may_scan(name):
    assert TaskQuery(**{name: OTHERS[name]}).may_scan


def test_external_id_of_an_owner_has_an_index():
    """It has only the live tasks."""
    query = TaskQuery(owner_id=uuid7(), external_id="a")
    assert not query.may_scan
    assert TaskQuery(owner_id=uuid7(), external_id="a", deleted=DeletedFilter.INCLUDE).may_scan
    assert not TaskQuery(deleted=DeletedFilter.INCLUDE).may_scan
