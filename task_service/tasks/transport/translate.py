"""Between the messages about tasks and history and the domain's words. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

from google.protobuf.message import Message
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from chassis.kernel.errors import raise_all
from chassis.kernel.ids import parse_id
from task_service.proto_fields import timestamp
from task_service.tasks.domain.errors import IdempotencyKeyInBatchItem, InvalidIdempotencyKey
from task_service.tasks.domain.stats import Stats
from task_service.tasks.domain.task import Task, TaskDraft
from task_service.tasks.domain.values import Priority, Status
from task_service.tasks.usecases.batches import Deletion, check_size, placed
from task_service.tasks.usecases.ports import Once
from task_service.tasks.usecases.tasks import Update

LONGEST_IDEMPOTENCY_KEY = 128

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Converted = TypeVar("Converted")
Request = TypeVar(
    "Request",
    task_service_pb2.CreateTaskRequest,
    task_service_pb2.UpdateTaskRequest,
    task_service_pb2.DeleteTaskRequest,
)

_STATUS = {status: task_pb2.Task.Status.Value(f"STATUS_{status.name}") for status in Status}
_PRIORITY = {priority: task_pb2.Task.Priority.Value(f"PRIORITY_{priority.name}") for priority in Priority}

STATUS_WORD: dict[int, str] = {0: "", **{number: status.value for status, number in _STATUS.items()}}
PRIORITY_WORD: dict[int, str] = {0: "", **{number: priority.value for priority, number in _PRIORITY.items()}}


def draft_from_proto(task: task_pb2.Task) -> TaskDraft:
    """What the client says of a task; an enum number that nobody knows stays a word that nobody knows."""
    return TaskDraft(
        task.title,
        task.description,
        STATUS_WORD.get(task.status, str(task.status)),
        PRIORITY_WORD.get(task.priority, str(task.priority)),
        task.due_date,
        task.external_id,
        task.assignee_id,
        tuple(task.labels),
        task.owner_id,
    )


def once_from_proto(request: Message) -> Once | None:
    """The request's idempotency key with a digest of all else that it says; None where it has no key.

    Raises:
        InvalidIdempotencyKey: the key is too long, or holds something else than visible ASCII.

    """
    key: str = getattr(request, "idempotency_key")  # noqa: B009 - every mutation has the field, Message has not
    if not key:
        return None
    if len(key) > LONGEST_IDEMPOTENCY_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidIdempotencyKey(limit=LONGEST_IDEMPOTENCY_KEY)
    asked = type(request)()
    asked.CopyFrom(request)
    asked.ClearField("idempotency_key")
    content = asked.DESCRIPTOR.full_name.encode() + b" " + asked.SerializeToString(deterministic=True)
    return Once(key, hashlib.sha256(content).digest())


def batch_requests(requests: Sequence[Request]) -> list[Request]:
    """The requests of a batch. IdempotencyKeyInBatchItem where one has a key of its own, which would mean nothing.

    EmptyBatch and TooManyInBatch come first: four megabytes of empty requests would take seconds to look at.
    """
    check_size(requests)
    found = list(requests)
    raise_all(
        [
            IdempotencyKeyInBatchItem(field=f"requests[{place}].idempotency_key")
            for place, request in enumerate(found)
            if request.idempotency_key
        ]
    )
    return found


def placed_all(requests: Sequence[Request], convert: Callable[[Request], Converted]) -> list[Converted]:
    """Every request converted; what is wrong with one names its place."""
    converted = []
    for place, request in enumerate(batch_requests(requests)):
        with placed(place):
            converted.append(convert(request))
    return converted


def deletion_from_proto(request: task_service_pb2.DeleteTaskRequest) -> Deletion:
    return Deletion(parse_id(request.id, field="id"), request.etag)


def update_from_proto(request: task_service_pb2.UpdateTaskRequest) -> Update:
    return Update(
        parse_id(request.id, field="id"),
        draft_from_proto(request.task),
        frozenset(request.update_mask.paths) - {"etag"},
        request.task.etag,
    )


def task_to_proto(task: Task) -> task_pb2.Task:
    return task_pb2.Task(
        id=str(task.id),
        title=task.title,
        description=task.description,
        status=_STATUS[task.status],
        priority=_PRIORITY[task.priority],
        due_date=task.due_date.isoformat() if task.due_date else "",
        labels=task.labels,
        external_id=task.external_id,
        owner_id=str(task.owner_id),
        assignee_id=str(task.assignee_id) if task.assignee_id else "",
        import_id=str(task.import_id) if task.import_id else "",
        created_at=timestamp(task.created_at),
        updated_at=timestamp(task.updated_at),
        completed_at=timestamp(task.completed_at),
        deleted_at=timestamp(task.deleted_at),
        purge_at=timestamp(task.purge_at),
        etag=task.etag,
    )


def stats_to_proto(stats: Stats, days: Iterable[date]) -> task_service_pb2.TaskStats:
    return task_service_pb2.TaskStats(
        total=sum(stats.by_status.values()),
        **{status.value: count for status, count in stats.by_status.items()},
        overdue=stats.overdue,
        completed_per_day=[
            task_service_pb2.TaskStats.CompletedDay(date=day.isoformat(), count=stats.completed_on.get(day, 0))
            for day in days
        ],
    )
