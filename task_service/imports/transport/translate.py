"""Conversions between messages about imports and domain values. Pure functions."""

from collections import defaultdict

from taskmanager.imports.v1 import import_ingest_service_pb2, import_pb2

from chassis.rpc.proto_fields import enum_numbers, timestamp_to_proto
from task_service.imports.domain.errors import CellTooLong, IngestOutOfOrder, MalformedBatch, TooManyCells
from task_service.imports.domain.imports import (
    PARSE_FAILURES,
    Checkpoint,
    Import,
    Lease,
    RecordLimits,
    State,
    WaitReason,
    parse_failure,
)
from task_service.imports.domain.options.row_rules import MAX_CONTINUATION_BYTES, MAX_CONTINUATION_ROWS, ColumnCondition
from task_service.imports.domain.rows.batch import Batch, Defect
from task_service.imports.domain.rows.failed_rows import RowError
from task_service.imports.domain.undo import ConflictReason, Undo, UndoConflict, UndoState
from task_service.imports.transport.upload_options import upload_options_to_proto
from task_service.imports.usecases.ingest import Progress
from task_service.imports.usecases.ingest_rows import Finish, FinishReason

_STATE = enum_numbers(import_pb2.Import.State, State)
_WAITS_FOR = enum_numbers(import_pb2.Import.WaitsFor, WaitReason)
_UNDO_STATE = enum_numbers(import_pb2.Import.Undo.State, UndoState)
_REASON = enum_numbers(import_pb2.UndoConflict.Reason, ConflictReason)
_DEFECT: dict[int, str] = {
    import_ingest_service_pb2.RowDefect.Kind.Value(f"KIND_{kind}"): kind
    for kind in (TooManyCells.reason, "UNDECODABLE", CellTooLong.reason)
}
_PARSE_FAILURE: dict[int, str] = {
    import_ingest_service_pb2.ParseFailure.Code.Value(f"CODE_{code}"): code for code in PARSE_FAILURES
}


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
        waits_for=_WAITS_FOR[found.waits_for] if found.waits_for else import_pb2.Import.WAITS_FOR_UNSPECIFIED,
        options=upload_options_to_proto(found.options),
        source_detected=found.source_detected,
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
            delimiter=lease.delimiter,
            columns=lease.columns,
            encoding=lease.encoding,
            continuation_rows=_continuation_to_proto(lease.continuation) if lease.continuation else None,
            used_columns=lease.used_columns,
        ),
        checkpoint=checkpoint_to_proto(lease.checkpoint),
        size=lease.size,
        limits=import_ingest_service_pb2.RecordLimits(**limits._asdict()),
        request_id=lease.request_id,
        traceparent=lease.traceparent,
    )


def _continuation_to_proto(rule: ColumnCondition) -> import_ingest_service_pb2.ContinuationRows:
    return import_ingest_service_pb2.ContinuationRows(
        column=rule.column,
        # A spreadsheet's formula has an apostrophe before it in errors.csv.
        keys=sorted({key for text in rule.condition.texts for key in (text, f"'{text}")}),
        max_rows=MAX_CONTINUATION_ROWS,
        max_bytes=MAX_CONTINUATION_BYTES,
    )


def progress_to_proto(progress: Progress) -> import_ingest_service_pb2.IngestRowsResponse:
    return import_ingest_service_pb2.IngestRowsResponse(
        checkpoint=checkpoint_to_proto(progress.checkpoint),
        has_pending=progress.has_pending,
        finished=progress.finished,
    )


def ingest_message_from_proto(request: import_ingest_service_pb2.IngestRowsRequest) -> Batch | Finish:
    """Return the batch or the finish in a message after open. Raises MalformedBatch, IngestOutOfOrder."""
    match request.WhichOneof("message"):
        case "batch":
            return batch_from_proto(request.batch)
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


def batch_from_proto(batch: import_ingest_service_pb2.RowBatch) -> Batch:
    """Return the batch, unchecked. Raises MalformedBatch for an unknown kind of defect."""
    defects: defaultdict[int, list[Defect]] = defaultdict(list)
    for defect in batch.defects:
        if defect.kind not in _DEFECT:
            raise MalformedBatch(problem="a defect has an unknown kind")
        defects[defect.row].append(Defect(_DEFECT[defect.kind], defect.cell, defect.surplus))
    return Batch(
        begin=_checkpoint_from_proto(batch.begin),
        end=_checkpoint_from_proto(batch.end),
        lines=list(batch.lines),
        cells=list(batch.cells),
        defects=defects,
        records=list(batch.records),
    )


def _checkpoint_from_proto(checkpoint: import_ingest_service_pb2.Checkpoint) -> Checkpoint:
    return Checkpoint(checkpoint.offset, checkpoint.line, checkpoint.records)
