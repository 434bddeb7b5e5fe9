"""The documented filters and orders of ListTasks, each with many matches, with few and with none.

docs/tasks.md and the contract list them. A test compares the filters with the fields of the contract.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.tasks.v1 import task_pb2

from tests.bench.growth.dataset import (
    FAR_AHEAD,
    LONG_AGO,
    RARE_DUE_AFTER,
    RARE_DUE_BEFORE,
    SMALL_OWNER_TASKS,
    Dataset,
    import_id,
)

NOBODY = str(UUID(int=1 << 100))
ORDERS = ("created_at", "updated_at", "due_date", "priority", "title")

MANY, FEW, NONE = "many", "few", "none"

_COMMON_LABELS = ("backend", "frontend", "ops")


@dataclass(frozen=True)
class Query:
    """Filters and order of a list, as fields of ListTasksRequest."""

    name: str
    matches: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    from_middle: bool = False
    """Read the page in the middle of the list, and not the first one."""


@dataclass(frozen=True)
class Subject:
    """Tasks that a list is about: those of one owner, or all."""

    owner: str
    owner_id: str
    ids: tuple[str, ...]
    """Up to 100 ids."""
    other_user_id: str
    """User to whom only the rare tasks are assigned."""


DEFAULT = Query("default list", MANY)


def all_queries(dataset: Dataset, subject: Subject) -> Iterator[Query]:
    """Yield the queries of one caller."""
    yield DEFAULT
    yield Query("default list, middle", MANY, from_middle=True)
    yield from _orders()
    yield from _value_filters(subject)
    yield from _label_filters()
    yield from _date_filters(dataset, subject)
    yield from _searches()
    yield from _combinations()


def _orders() -> Iterator[Query]:
    for order in ORDERS:
        for direction in ("asc", "desc"):
            if (order, direction) == ("created_at", "desc"):
                continue  # the default
            fields = {"order_by": f"{order} {direction}"}
            yield Query(f"order {order} {direction}", MANY, fields)
            yield Query(f"order {order} {direction}, middle", MANY, fields, from_middle=True)


def _value_filters(subject: Subject) -> Iterator[Query]:
    status, priority = task_pb2.Task.Status, task_pb2.Task.Priority
    yield Query("status", MANY, {"status": [status.STATUS_PENDING]})
    yield Query("status", FEW, {"status": [status.STATUS_CANCELLED]})
    yield Query("status", NONE, {"status": [status.STATUS_IN_PROGRESS]})
    yield Query("priority", MANY, {"priority": [priority.PRIORITY_HIGH]})
    yield Query("priority", FEW, {"priority": [priority.PRIORITY_URGENT]})
    yield Query("priority", NONE, {"priority": [priority.PRIORITY_LOW]})
    yield Query("external_id", FEW, {"external_id": "RARE-2"})
    yield Query("external_id", NONE, {"external_id": "no such id"})
    yield Query("external_id, show_deleted", FEW, {"external_id": "RARE-2", "show_deleted": True})
    yield Query("external_id, show_deleted", NONE, {"external_id": "no such id", "show_deleted": True})
    yield Query("ids", MANY, {"ids": subject.ids})
    yield Query("ids", NONE, {"ids": [str(UUID(int=number << 80)) for number in range(1, 101)]})
    yield Query("assignee_id", MANY, {"assignee_id": subject.owner_id})
    yield Query("assignee_id", FEW, {"assignee_id": subject.other_user_id})
    yield Query("assignee_id", NONE, {"assignee_id": NOBODY})
    for matches in (MANY, FEW, NONE):
        yield Query("import_id", matches, {"import_id": import_id(subject.owner_id, matches)})


def _label_filters() -> Iterator[Query]:
    yield Query("labels_any", MANY, {"labels_any": ["backend", "ops"]})
    yield Query("labels_any", FEW, {"labels_any": ["rare", "unused"]})
    yield Query("labels_any", NONE, {"labels_any": ["unused"]})
    yield Query("labels_all", MANY, {"labels_all": ["backend", "team-4"]})
    yield Query("labels_all", FEW, {"labels_all": ["backend", "rare"]})
    yield Query("labels_all", NONE, {"labels_all": ["backend", "unused"]})
    yield Query("labels_none", MANY, {"labels_none": ["unused"]})
    yield Query("labels_none", FEW, {"labels_none": _COMMON_LABELS})
    yield Query("labels_none", NONE, {"labels_none": [*_COMMON_LABELS, "rare"]})


def _date_filters(dataset: Dataset, subject: Subject) -> Iterator[Query]:
    owned = dataset.owned(subject.owner)
    # The tasks of the large owner are so close together that some change only after the creation of others.
    middle, early, late = (
        _timestamp(dataset.created_at(subject.owner, index))
        for index in (owned // 2, 10 if owned == SMALL_OWNER_TASKS else 30, owned - 10)
    )
    changed_late = _timestamp(dataset.last_change)
    long_ago, far_ahead = _timestamp(LONG_AGO), _timestamp(FAR_AHEAD)
    for name, few_after in (("created", late), ("updated", changed_late), ("completed", changed_late)):
        yield Query(f"{name}_before", MANY, {f"{name}_before": middle})
        yield Query(f"{name}_before", FEW, {f"{name}_before": early})
        yield Query(f"{name}_before", NONE, {f"{name}_before": long_ago})
        yield Query(f"{name}_after", MANY, {f"{name}_after": middle})
        yield Query(f"{name}_after", FEW, {f"{name}_after": few_after})
        yield Query(f"{name}_after", NONE, {f"{name}_after": far_ahead})
    yield Query("due_before", MANY, {"due_before": dataset.last_change.date().isoformat()})
    yield Query("due_before", FEW, {"due_before": RARE_DUE_BEFORE})
    yield Query("due_before", NONE, {"due_before": LONG_AGO.date().isoformat()})
    yield Query("due_after", MANY, {"due_after": RARE_DUE_BEFORE})
    yield Query("due_after", FEW, {"due_after": RARE_DUE_AFTER})
    yield Query("due_after", NONE, {"due_after": FAR_AHEAD.date().isoformat()})
    yield Query("due_before, order due_date", FEW, {"due_before": RARE_DUE_BEFORE, "order_by": "due_date"})
    yield Query("no_due_date", MANY, {"no_due_date": True})
    yield Query("no_due_date, rare label", NONE, {"no_due_date": True, "labels_any": ["rare"]})
    yield Query("overdue", MANY, {"overdue": True})
    yield Query("overdue, rare label", NONE, {"overdue": True, "labels_any": ["rare"]})


def _searches() -> Iterator[Query]:
    yield Query("q, one word", MANY, {"q": "customer"})
    yield Query("q, one word", FEW, {"q": "zeppelin"})
    yield Query("q, one word", NONE, {"q": "xylophone"})
    yield Query("q, eight words", NONE, {"q": "as agreed in the meeting documents numbers xylophone"})
    yield Query("q, order title", FEW, {"q": "zeppelin", "order_by": "title"})


def _combinations() -> Iterator[Query]:
    yield Query("show_deleted", MANY, {"show_deleted": True})
    yield Query("only_deleted", MANY, {"only_deleted": True})
    yield Query("only_deleted, order title", MANY, {"only_deleted": True, "order_by": "title"})
    yield Query("only_deleted, rare label", NONE, {"only_deleted": True, "labels_any": ["rare"]})
    yield Query("include_total", MANY, {"include_total": True})
    yield Query("include_total, labels_any", FEW, {"include_total": True, "labels_any": ["rare"]})
    yield Query("page_size 200", MANY, {"page_size": 200})


def _timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message
