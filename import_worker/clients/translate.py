"""Conversion between messages of the contract and objects of the domain."""

from taskmanager.imports.v1 import import_ingest_service_pb2 as pb

from import_worker.domain.batch import Batch, DefectKind, FinishReason
from import_worker.domain.errors import UnreadableFile
from import_worker.domain.lease import Checkpoint, ContinuationRows, Dialect, Lease, Progress, RecordLimits

_DEFAULT_LIMITS = RecordLimits()

_DEFECT_KINDS = {
    DefectKind.TOO_MANY_CELLS: pb.RowDefect.KIND_TOO_MANY_CELLS,
    DefectKind.UNDECODABLE: pb.RowDefect.KIND_UNDECODABLE,
    DefectKind.CELL_TOO_LONG: pb.RowDefect.KIND_CELL_TOO_LONG,
}


def lease_from_proto(lease: pb.Lease) -> Lease:
    return Lease(
        import_id=lease.import_id,
        fence=lease.fence,
        dialect=_dialect_from_proto(lease.dialect),
        checkpoint=_checkpoint_from_proto(lease.checkpoint),
        size=lease.size,
        limits=RecordLimits(
            max_record_bytes=lease.limits.record_bytes or _DEFAULT_LIMITS.max_record_bytes,
            max_cell_characters=lease.limits.cell_characters or _DEFAULT_LIMITS.max_cell_characters,
        ),
        request_id=lease.request_id,
        traceparent=lease.traceparent,
    )


def _dialect_from_proto(dialect: pb.Dialect) -> Dialect:
    rule = dialect.continuation_rows
    return Dialect(
        delimiter=dialect.delimiter,
        columns=dialect.columns,
        encoding=dialect.encoding or "utf-8",
        continuation_rows=ContinuationRows(
            column=rule.column, keys=frozenset(rule.keys), max_rows=rule.max_rows, max_bytes=rule.max_bytes
        )
        if dialect.HasField("continuation_rows")
        else None,
        used_columns=tuple(dialect.used_columns),
    )


def progress_from_proto(response: pb.IngestRowsResponse) -> Progress:
    return Progress(
        checkpoint=_checkpoint_from_proto(response.checkpoint),
        has_pending=response.has_pending,
        is_finished=response.finished,
    )


def open_to_proto(lease: Lease) -> pb.IngestRowsRequest:
    return pb.IngestRowsRequest(open=pb.IngestOpen(import_id=lease.import_id, fence=lease.fence))


def batch_to_proto(batch: Batch) -> pb.IngestRowsRequest:
    return pb.IngestRowsRequest(
        batch=pb.RowBatch(
            begin=_checkpoint_to_proto(batch.begin),
            end=_checkpoint_to_proto(batch.end),
            lines=batch.lines,
            cells=batch.cells,
            records=batch.records,
            defects=[
                pb.RowDefect(row=defect.row, kind=_DEFECT_KINDS[defect.kind], cell=defect.cell, surplus=defect.surplus)
                for defect in batch.defects
            ],
        )
    )


def finish_to_proto(reason: FinishReason | UnreadableFile) -> pb.IngestRowsRequest:
    if isinstance(reason, UnreadableFile):
        # The contract names its codes after the reasons of the domain: UNCLOSED_QUOTE is CODE_UNCLOSED_QUOTE.
        code = pb.ParseFailure.Code.Value(f"CODE_{reason.reason}")
        finish = pb.IngestFinish(failure=pb.ParseFailure(code=code, line=reason.line))
    elif reason is FinishReason.LEASE_RELEASED:
        finish = pb.IngestFinish(release_lease=pb.ReleaseLease())
    else:
        finish = pb.IngestFinish(end_of_file=pb.EndOfFile())
    return pb.IngestRowsRequest(finish=finish)


def _checkpoint_from_proto(checkpoint: pb.Checkpoint) -> Checkpoint:
    return Checkpoint(offset=checkpoint.offset, line=checkpoint.line, records=checkpoint.records)


def _checkpoint_to_proto(checkpoint: Checkpoint) -> pb.Checkpoint:
    return pb.Checkpoint(offset=checkpoint.offset, line=checkpoint.line, records=checkpoint.records)
