"""Between the contract's messages and the domain's words. Pure."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from google.api import httpbody_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.imports.v1 import import_ingest_service_pb2, import_pb2, import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from chassis.kernel import Caller, parse_id
from task_service.domain.errors import MalformedBatch, UnknownStatus
from task_service.domain.history import Action, TaskEvent
from task_service.domain.imports import Checkpoint, Import, Lease, RowError, State
from task_service.domain.rows import Batch, Defect
from task_service.domain.sight import owner_in_sight
from task_service.domain.task import Priority, Status, Task, TaskDraft
from task_service.domain.upload_options import (
    UploadOptions,
    read_delimiter,
    read_encoding,
    read_mapping,
    read_max_errors,
)
from task_service.usecases.ports import TaskQuery

_STATUS = {status: task_pb2.Task.Status.Value(f"STATUS_{status.name}") for status in Status}
_PRIORITY = {priority: task_pb2.Task.Priority.Value(f"PRIORITY_{priority.name}") for priority in Priority}
_ACTION = {action: history_service_pb2.TaskEvent.Action.Value(f"ACTION_{action.name}") for action in Action}
_STATE = {state: import_pb2.Import.State.Value(f"STATE_{state.name}") for state in State}
_ACTOR_ROLE = history_service_pb2.TaskEvent.ActorRole

_STATUS_WORD: dict[int, str] = {0: "", **{number: status.value for status, number in _STATUS.items()}}
_PRIORITY_WORD: dict[int, str] = {0: "", **{number: priority.value for priority, number in _PRIORITY.items()}}


def optional_id(text: str, *, field: str) -> UUID | None:
    return parse_id(text, field=field) if text else None


def timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def draft_from_proto(task: task_pb2.Task) -> TaskDraft:
    """What the client says of a task; an enum number that nobody knows stays a word that nobody knows."""
    return TaskDraft(
        task.title,
        task.description,
        _STATUS_WORD.get(task.status, str(task.status)),
        _PRIORITY_WORD.get(task.priority, str(task.priority)),
        task.due_date,
        optional_id(task.owner_id, field="owner_id"),
    )


def task_to_proto(task: Task) -> task_pb2.Task:
    return task_pb2.Task(
        id=str(task.id),
        title=task.title,
        description=task.description,
        status=_STATUS[task.status],
        priority=_PRIORITY[task.priority],
        due_date=task.due_date.isoformat() if task.due_date else "",
        owner_id=str(task.owner_id),
        import_id=str(task.import_id) if task.import_id else "",
        created_at=timestamp(task.created_at),
        updated_at=timestamp(task.updated_at),
        completed_at=timestamp(task.completed_at),
        deleted_at=timestamp(task.deleted_at),
        etag=task.etag,
    )


def query_from_proto(request: task_service_pb2.ListTasksRequest, caller: Caller) -> TaskQuery:
    """Which tasks to list, within the caller's sight. UnknownStatus, MalformedId, OwnerNotYours."""
    words = [_STATUS_WORD.get(number, "") for number in request.status]
    if not all(words):
        raise UnknownStatus
    return TaskQuery(
        owner_id=owner_in_sight(caller, request.owner_id),
        statuses=frozenset(map(Status, words)),
        import_id=optional_id(request.import_id, field="import_id"),
        show_deleted=request.show_deleted,
    )


def event_to_proto(event: TaskEvent) -> history_service_pb2.TaskEvent:
    return history_service_pb2.TaskEvent(
        id=str(event.id),
        task_id=str(event.task_id),
        action=_ACTION[event.action],
        actor_id=str(event.actor_id),
        actor_role=_ACTOR_ROLE.Value(f"ACTOR_ROLE_{event.actor_role.upper()}"),
        occurred_at=timestamp(event.occurred_at),
        request_id=event.request_id,
        changes=[history_service_pb2.TaskEvent.Change(field=f, old=old, new=new) for f, old, new in event.changes],
    )


def upload_options_from_proto(options: import_service_pb2.UploadOptions) -> UploadOptions:
    """What the upload says about its file. InvalidUpload, UnknownStatus."""
    status = _STATUS_WORD.get(options.default_status)
    if status is None:
        raise UnknownStatus(field="default_status")
    return UploadOptions(
        encoding=read_encoding(options.encoding),
        delimiter=read_delimiter(options.delimiter),
        mapping=read_mapping(options.mapping),
        validate_only=options.validate_only,
        max_errors=read_max_errors(options.max_errors),
        default_status=status,
        allow_same_file=options.allow_same_file,
    )


def import_to_proto(found: Import) -> import_pb2.Import:
    failure = found.failure
    return import_pb2.Import(
        id=str(found.id),
        state=_STATE[found.state],
        file_name=found.file_name,
        owner_id=str(found.owner_id),
        bytes_total=found.bytes_total,
        bytes_read=found.bytes_read,
        rows_read=found.rows_read,
        rows_created=found.rows_created,
        rows_failed=found.rows_failed,
        warnings=found.warnings,
        created_at=timestamp(found.created_at),
        started_at=timestamp(found.started_at),
        finished_at=timestamp(found.finished_at),
        failure=import_pb2.Import.Failure(code=failure.code, message=failure.message, line=failure.line)
        if failure
        else None,
        rows_per_second=found.rows_per_second,
        seconds_left=found.seconds_left,
        failed_rows_kept=found.failed_rows_kept,
        validate_only=found.validate_only,
    )


def row_error_to_proto(error: RowError) -> import_pb2.ImportError:
    return import_pb2.ImportError(
        line=error.line,
        record=error.record,
        column=error.column,
        value=error.value,
        code=error.code,
        message=error.message,
    )


def csv_body(text: str) -> httpbody_pb2.HttpBody:
    """A piece of a CSV file."""
    return httpbody_pb2.HttpBody(content_type="text/csv; charset=utf-8", data=text.encode())


def checkpoint_to_proto(checkpoint: Checkpoint) -> import_ingest_service_pb2.Checkpoint:
    return import_ingest_service_pb2.Checkpoint(
        offset=checkpoint.offset, line=checkpoint.line, records=checkpoint.records
    )


def lease_to_proto(lease: Lease) -> import_ingest_service_pb2.Lease:
    return import_ingest_service_pb2.Lease(
        import_id=str(lease.import_id),
        fence=lease.fence,
        dialect=import_ingest_service_pb2.Dialect(
            delimiter=lease.delimiter, columns=lease.columns, encoding=lease.encoding
        ),
        checkpoint=checkpoint_to_proto(lease.checkpoint),
        size=lease.size,
    )


def batch_from_proto(batch: import_ingest_service_pb2.RowBatch, columns: int) -> Batch:
    """A batch as the domain takes it. MalformedBatch when its parts do not fit one another."""
    lines, cells = list(batch.lines), list(batch.cells)
    begin = Checkpoint(batch.begin.offset, batch.begin.line, batch.begin.records)
    end = Checkpoint(batch.end.offset, batch.end.line, batch.end.records)
    if len(cells) != len(lines) * columns:
        raise MalformedBatch(problem=f"{len(cells)} cells for {len(lines)} rows of {columns}")
    if end.records - begin.records != len(lines) or end.offset < begin.offset:
        raise MalformedBatch(problem="its end does not fit its rows")
    defects: defaultdict[int, list[Defect]] = defaultdict(list)
    for defect in batch.defects:
        kind = import_ingest_service_pb2.RowDefect.Kind.Name(defect.kind).removeprefix("KIND_")
        defects[defect.row].append(Defect(kind, defect.cell))
    return Batch(begin, end, lines, cells, defects)
