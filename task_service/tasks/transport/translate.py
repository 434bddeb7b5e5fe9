"""Conversions between messages about tasks and domain values. Pure functions."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from chassis.kernel.errors import Invalid, collect_errors, raise_all
from chassis.kernel.ids import parse_id
from chassis.kernel.pagination import Page
from chassis.rpc.pagination import fit_to_message_size
from chassis.rpc.proto_fields import enum_numbers, microseconds_to_proto, timestamp_to_proto
from task_service.tasks.domain.batches import ensure_batch_size, with_index
from task_service.tasks.domain.errors import IdempotencyKeyInBatchItem
from task_service.tasks.domain.listed_task import ListedTask
from task_service.tasks.domain.stats import Stats
from task_service.tasks.domain.task import Task, TaskDraft
from task_service.tasks.domain.task_upsert import UpsertDraft, UpsertOutcome, UpsertResult
from task_service.tasks.domain.values import Priority, Status
from task_service.tasks.usecases.batches import TaskDeletion
from task_service.tasks.usecases.tasks import TaskUpdate, Total

Converted = TypeVar("Converted")
Request = TypeVar(
    "Request",
    task_service_pb2.CreateTaskRequest,
    task_service_pb2.UpdateTaskRequest,
    task_service_pb2.DeleteTaskRequest,
)

STATUS_NUMBERS = enum_numbers(task_pb2.Task.Status, Status)
PRIORITY_NUMBERS = enum_numbers(task_pb2.Task.Priority, Priority)
_OUTCOME = enum_numbers(task_service_pb2.UpsertResult.Outcome, UpsertOutcome)

STATUS_VALUES: dict[int, str] = {0: "", **{number: value for value, number in STATUS_NUMBERS.items()}}
PRIORITY_VALUES: dict[int, str] = {0: "", **{number: value for value, number in PRIORITY_NUMBERS.items()}}


def draft_from_proto(task: task_pb2.Task) -> TaskDraft:
    """Return the draft of a task. An unknown enum number becomes its digits, which validation rejects."""
    return TaskDraft(
        task.title,
        task.description,
        STATUS_VALUES.get(task.status, str(task.status)),
        PRIORITY_VALUES.get(task.priority, str(task.priority)),
        task.due_date,
        task.external_id,
        task.assignee_id,
        tuple(task.labels),
        task.owner_id,
    )


def validate_batch(requests: Sequence[Request]) -> list[Request]:
    """Return the requests of a batch. Raises IdempotencyKeyInBatchItem for a request that has its own key.

    EmptyBatch and TooManyInBatch are checked first: four megabytes of empty requests would take seconds to scan.
    """
    ensure_batch_size(requests)
    items = list(requests)
    raise_all(
        [
            IdempotencyKeyInBatchItem(field=f"requests[{index}].idempotency_key")
            for index, request in enumerate(items)
            if request.idempotency_key
        ]
    )
    return items


def convert_all(requests: Sequence[Request], convert: Callable[[Request], Converted]) -> list[Converted]:
    """Return the converted requests of a batch. Errors name the request."""
    converted = []
    for index, request in enumerate(validate_batch(requests)):
        with with_index(index):
            converted.append(convert(request))
    return converted


def batch_ids_from_proto(texts: Sequence[str]) -> list[UUID]:
    """Return the ids of a batch. Raises EmptyBatch, TooManyInBatch or all errors of ids."""
    ensure_batch_size(texts, field="ids")
    ids: list[UUID] = []
    errors: list[Invalid] = []
    for index, text in enumerate(texts):
        with collect_errors(errors):
            ids.append(parse_id(text, field=f"ids[{index}]"))
    raise_all(errors)
    return ids


def deletion_from_proto(request: task_service_pb2.DeleteTaskRequest) -> TaskDeletion:
    return TaskDeletion(parse_id(request.id, field="id"), request.etag)


def update_from_proto(request: task_service_pb2.UpdateTaskRequest) -> TaskUpdate:
    return TaskUpdate(
        parse_id(request.id, field="id"),
        draft_from_proto(request.task),
        frozenset(request.update_mask.paths) - {"etag"},
        request.task.etag,
    )


def upserts_from_proto(requests: Sequence[task_service_pb2.UpsertTaskRequest]) -> list[UpsertDraft]:
    """Return the upserts of a batch. Raises EmptyBatch, TooManyInBatch."""
    ensure_batch_size(requests)
    return [
        UpsertDraft(draft_from_proto(request.task), _upsert_mask(request.update_mask), request.task.etag)
        for request in requests
    ]


def _upsert_mask(mask: FieldMask) -> frozenset[str]:
    """Return the mask without the owner, which identifies the task, and without the precondition.

    Over REST the mask has all keys of the task. The external_id stays: without it the rest could be empty, and an empty
    mask would write all fields that are set.
    """
    paths = frozenset(mask.paths)
    return paths if not paths or "*" in paths else (paths - {"etag", "owner_id"}) | {"external_id"}


def upsert_result_to_proto(result: UpsertResult) -> task_service_pb2.UpsertResult:
    return task_service_pb2.UpsertResult(outcome=_OUTCOME[result.outcome], task=task_to_proto(result.task))


def task_to_proto(task: Task) -> task_pb2.Task:
    return task_pb2.Task(
        id=str(task.id),
        title=task.title,
        description=task.description,
        status=STATUS_NUMBERS[task.status],
        priority=PRIORITY_NUMBERS[task.priority],
        due_date=task.due_date.isoformat() if task.due_date else "",
        labels=task.labels,
        external_id=task.external_id,
        owner_id=str(task.owner_id),
        assignee_id=str(task.assignee_id) if task.assignee_id else "",
        import_id=str(task.import_id) if task.import_id else "",
        created_at=timestamp_to_proto(task.created_at),
        updated_at=timestamp_to_proto(task.updated_at),
        completed_at=timestamp_to_proto(task.completed_at),
        deleted_at=timestamp_to_proto(task.deleted_at),
        purge_at=timestamp_to_proto(task.purge_at),
        etag=task.etag,
    )


def _listed_task_to_proto(task: ListedTask) -> Any:
    """Return the fields of the message that task_to_proto returns, for the constructor of a response.

    A page of 50 messages that are copied into the response costs a third more. A field that is empty costs the
    constructor as much as another one, so the fields that most tasks do not have are left out.
    """
    fields = {
        "id": task.id,
        "title": task.title,
        "description": task.description,
        "status": STATUS_NUMBERS[task.status],
        "priority": PRIORITY_NUMBERS[task.priority],
        "due_date": task.due_date,
        "external_id": task.external_id,
        "owner_id": task.owner_id,
        "assignee_id": task.assignee_id,
        "import_id": task.import_id,
        "created_at": microseconds_to_proto(task.created_at),
        "updated_at": microseconds_to_proto(task.updated_at),
        "etag": task.etag,
    }
    if task.labels:
        fields["labels"] = task.labels
    if task.completed_at is not None:
        fields["completed_at"] = microseconds_to_proto(task.completed_at)
    if task.deleted_at is not None:
        fields["deleted_at"] = microseconds_to_proto(task.deleted_at)
    if task.purge_at is not None:
        fields["purge_at"] = microseconds_to_proto(task.purge_at)
    return fields


def list_to_proto(page: Page[ListedTask], total: Total | None) -> task_service_pb2.ListTasksResponse:
    response = task_service_pb2.ListTasksResponse(tasks=map(_listed_task_to_proto, page.items))
    fit_to_message_size(response, response.tasks, page)
    if total is not None:
        response.total_size, response.total_is_at_least = total
    return response


def stats_to_proto(stats: Stats, days: Iterable[date]) -> task_service_pb2.TaskStats:
    return task_service_pb2.TaskStats(
        total=sum(stats.by_status.values()),
        **{status.value: count for status, count in stats.by_status.items()},
        overdue=stats.overdue,
        completed_per_day=[
            task_service_pb2.TaskStats.CompletedDay(date=day.isoformat(), count=stats.completed_per_day.get(day, 0))
            for day in days
        ],
    )
