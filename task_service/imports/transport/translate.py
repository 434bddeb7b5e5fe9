"""Conversions between messages about imports and domain values. Pure functions."""

from collections import defaultdict

from taskmanager.imports.v1 import import_ingest_service_pb2, import_pb2, import_service_pb2

from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import (
    CellTooLong,
    IngestOutOfOrder,
    MalformedBatch,
    TooManyCells,
    UnknownOnDuplicate,
)
from task_service.imports.domain.failed_rows import RowError
from task_service.imports.domain.imports import (
    PARSE_FAILURES,
    Checkpoint,
    Import,
    IngestContext,
    Lease,
    RecordLimits,
    State,
    WaitReason,
    parse_failure,
)
from task_service.imports.domain.rows import Batch, Defect
from task_service.imports.domain.undo import ConflictReason, Undo, UndoConflict, UndoState
from task_service.imports.domain.upload_options import (
    UploadOptions,
    parse_delimiter,
    parse_encoding,
    parse_labels,
    parse_mapping,
    parse_max_errors,
)
from task_service.imports.domain.value_errors import UnknownOnUnknown
from task_service.imports.domain.value_options import OnUnknownValue, ValueOptions, parse_value_mapping
from task_service.imports.usecases.ingest import Progress
from task_service.imports.usecases.ingest_rows import Finish, FinishReason
from task_service.proto_fields import timestamp_to_proto
from task_service.tasks.domain.errors import UnknownStatus
from task_service.tasks.transport.translate import STATUS_VALUES

_STATE = {state: import_pb2.Import.State.Value(f"STATE_{state.name}") for state in State}
_WAITS_FOR: dict[WaitReason | None, import_pb2.Import.WaitsFor.ValueType] = {
    None: import_pb2.Import.WAITS_FOR_UNSPECIFIED,
    **{reason: import_pb2.Import.WaitsFor.Value(f"WAITS_FOR_{reason.name}") for reason in WaitReason},
}
_UNDO_STATE = {state: import_pb2.Import.Undo.State.Value(f"STATE_{state.name}") for state in UndoState}
_REASON = {reason: import_pb2.UndoConflict.Reason.Value(f"REASON_{reason.name}") for reason in ConflictReason}
_ON_DUPLICATE: dict[int, OnDuplicate] = {
    import_service_pb2.UploadOptions.ON_DUPLICATE_UNSPECIFIED: OnDuplicate.FAIL,
    **{import_service_pb2.UploadOptions.OnDuplicate.Value(f"ON_DUPLICATE_{rule.name}"): rule for rule in OnDuplicate},
}
_ON_UNKNOWN_VALUE: dict[int, OnUnknownValue] = {
    import_service_pb2.UploadOptions.ON_UNKNOWN_VALUE_UNSPECIFIED: OnUnknownValue.FAIL,
    **{
        import_service_pb2.UploadOptions.OnUnknownValue.Value(f"ON_UNKNOWN_VALUE_{rule.name}"): rule
        for rule in OnUnknownValue
    },
}
_DEFECT: dict[int, str] = {
    import_ingest_service_pb2.RowDefect.Kind.Value(f"KIND_{kind}"): kind
    for kind in (TooManyCells.reason, "UNDECODABLE", CellTooLong.reason)
}
_PARSE_FAILURE: dict[int, str] = {
    import_ingest_service_pb2.ParseFailure.Code.Value(f"CODE_{code}"): code for code in PARSE_FAILURES
}


def upload_options_from_proto(options: import_service_pb2.UploadOptions) -> UploadOptions:
    """Return the options of an upload. Raises InvalidUpload, UnknownStatus."""
    status = STATUS_VALUES.get(options.default_status)
    if status is None:
        raise UnknownStatus(field="default_status")
    on_duplicate = _ON_DUPLICATE.get(options.on_duplicate)
    if on_duplicate is None:
        raise UnknownOnDuplicate
    values = ValueOptions(
        value_mapping=parse_value_mapping(options.value_mapping),
        on_unknown_status=_on_unknown(options.on_unknown_status, "on_unknown_status"),
        on_unknown_priority=_on_unknown(options.on_unknown_priority, "on_unknown_priority"),
    )
    return UploadOptions(
        encoding=parse_encoding(options.encoding),
        delimiter=parse_delimiter(options.delimiter),
        mapping=parse_mapping(options.mapping),
        validate_only=options.validate_only,
        max_errors=parse_max_errors(options.max_errors),
        default_status=status,
        default_assignee=options.default_assignee.strip(),
        default_labels=parse_labels(options.default_labels),
        on_duplicate=on_duplicate,
        allow_same_file=options.allow_same_file,
        values=values,
    )


def _on_unknown(number: int, field: str) -> OnUnknownValue:
    found = _ON_UNKNOWN_VALUE.get(number)
    if found is None:
        raise UnknownOnUnknown(field=field, other=OnUnknownValue.DEFAULT)
    return found


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
        rows_created=found.rows.created,
        rows_updated=found.rows.updated,
        rows_unchanged=found.rows.unchanged,
        rows_skipped=found.rows.skipped,
        rows_failed=found.rows.failed,
        warnings=found.warnings,
        created_at=timestamp_to_proto(found.created_at),
        started_at=timestamp_to_proto(found.started_at),
        finished_at=timestamp_to_proto(found.finished_at),
        failure=import_pb2.Import.Failure(code=failure.code, message=failure.message, line=failure.line)
        if failure
        else None,
        rows_per_second=found.rows_per_second,
        seconds_left=found.seconds_left,
        failed_rows_kept=found.failed_rows_kept,
        validate_only=found.validate_only,
        undo=_undo_to_proto(found.undo) if found.undo else None,
        waits_for=_WAITS_FOR[found.waits_for],
    )


def _undo_to_proto(undo: Undo) -> import_pb2.Import.Undo:
    return import_pb2.Import.Undo(
        state=_UNDO_STATE[undo.state],
        deleted=undo.deleted,
        restored=undo.restored,
        kept=undo.kept,
        started_at=timestamp_to_proto(undo.started_at),
        finished_at=timestamp_to_proto(undo.finished_at),
    )


def undo_conflict_to_proto(conflict: UndoConflict) -> import_pb2.UndoConflict:
    return import_pb2.UndoConflict(task_id=str(conflict.task_id), reason=_REASON[conflict.reason])


def row_error_to_proto(error: RowError) -> import_pb2.ImportError:
    return import_pb2.ImportError(
        line=error.line,
        record=error.record,
        column=error.column,
        value=error.value,
        code=error.code,
        message=error.message,
    )


def checkpoint_to_proto(checkpoint: Checkpoint) -> import_ingest_service_pb2.Checkpoint:
    return import_ingest_service_pb2.Checkpoint(
        offset=checkpoint.offset, line=checkpoint.line, records=checkpoint.records
    )


def lease_to_proto(lease: Lease, limits: RecordLimits) -> import_ingest_service_pb2.Lease:
    return import_ingest_service_pb2.Lease(
        import_id=str(lease.import_id),
        fence=lease.fence,
        dialect=import_ingest_service_pb2.Dialect(
            delimiter=lease.delimiter, columns=lease.columns, encoding=lease.encoding
        ),
        checkpoint=checkpoint_to_proto(lease.checkpoint),
        size=lease.size,
        limits=import_ingest_service_pb2.RecordLimits(**limits._asdict()),
    )


def progress_to_proto(progress: Progress) -> import_ingest_service_pb2.IngestRowsResponse:
    return import_ingest_service_pb2.IngestRowsResponse(
        checkpoint=checkpoint_to_proto(progress.checkpoint),
        has_pending=progress.has_pending,
        finished=progress.finished,
    )


def ingest_message_from_proto(
    request: import_ingest_service_pb2.IngestRowsRequest, context: IngestContext
) -> Batch | Finish:
    """Return the batch or the finish in a message after open. Raises MalformedBatch, IngestOutOfOrder."""
    match request.WhichOneof("message"):
        case "batch":
            return batch_from_proto(request.batch, context)
        case "finish":
            return _finish_from_proto(request.finish)
        case _:
            raise IngestOutOfOrder


def _finish_from_proto(finish: import_ingest_service_pb2.IngestFinish) -> Finish:
    match finish.WhichOneof("reason"):
        case "end_of_file":
            return FinishReason.END_OF_FILE
        case "release_lease":
            return FinishReason.LEASE_RELEASED
        case "failure":
            return parse_failure(_PARSE_FAILURE.get(finish.failure.code, ""), finish.failure.line)
        case _:
            raise IngestOutOfOrder


def batch_from_proto(batch: import_ingest_service_pb2.RowBatch, context: IngestContext) -> Batch:
    """Return the batch. Raises MalformedBatch when its parts contradict each other or the file."""
    lines, cells = list(batch.lines), list(batch.cells)
    begin = Checkpoint(batch.begin.offset, batch.begin.line, batch.begin.records)
    end = Checkpoint(batch.end.offset, batch.end.line, batch.end.records)
    if len(cells) != len(lines) * len(context.fields):
        raise MalformedBatch(problem=f"{len(cells)} cells for {len(lines)} rows of {len(context.fields)} columns")
    if end.records - begin.records != len(lines) or end.offset < begin.offset:
        raise MalformedBatch(problem="the end does not match the number of rows")
    if end.offset > context.size:
        raise MalformedBatch(problem="the end is after the end of the file")
    # Each line has at least one byte, its line end.
    if not begin.line <= min(lines, default=begin.line) <= max(lines, default=end.line) <= end.line <= context.size + 1:
        raise MalformedBatch(problem="a line number is outside the range from begin to end")
    defects: defaultdict[int, list[Defect]] = defaultdict(list)
    for defect in batch.defects:
        kind = _DEFECT.get(defect.kind)
        if kind is None or not 0 <= defect.row < len(lines):
            raise MalformedBatch(problem="a defect has an unknown kind or row")
        defects[defect.row].append(Defect(kind, defect.cell, defect.surplus))
    return Batch(begin, end, lines, cells, defects)
