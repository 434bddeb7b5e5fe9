"""The contract's messages to and from the domain's words."""

from taskmanager.imports.v1 import import_ingest_service_pb2 as pb

from import_worker.domain.batches import Batch, DefectKind, Ending
from import_worker.domain.checkpoints import Checkpoint, Dialect, Lease, Progress, RecordLimits
from import_worker.domain.errors import UnreadableFile

_USUAL = RecordLimits()

_KINDS = {
    DefectKind.TOO_MANY_CELLS: pb.RowDefect.KIND_TOO_MANY_CELLS,
    DefectKind.UNDECODABLE: pb.RowDefect.KIND_UNDECODABLE,
    DefectKind.CELL_TOO_LONG: pb.RowDefect.KIND_CELL_TOO_LONG,
}


def lease_from_proto(lease: pb.Lease) -> Lease:
    return Lease(
        import_id=lease.import_id,
        fence=lease.fence,
        dialect=Dialect(
            delimiter=lease.dialect.delimiter,
            columns=lease.dialect.columns,
            encoding=lease.dialect.encoding or "utf-8",
        ),
        checkpoint=_checkpoint_from_proto(lease.checkpoint),
        size=lease.size,
        limits=RecordLimits(
            record_bytes=lease.limits.record_bytes or _USUAL.record_bytes,
            cell_characters=lease.limits.cell_characters or _USUAL.cell_characters,
        ),
    )


def progress_from_proto(answer: pb.IngestRowsResponse) -> Progress:
    return Progress(
        checkpoint=_checkpoint_from_proto(answer.checkpoint),
        others_wait=answer.others_wait,
        finished=answer.finished,
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
            defects=[
                pb.RowDefect(row=defect.row, kind=_KINDS[defect.kind], cell=defect.cell, surplus=defect.surplus)
                for defect in batch.defects
            ],
        )
    )


def finish_to_proto(ending: Ending | UnreadableFile) -> pb.IngestRowsRequest:
    if isinstance(ending, UnreadableFile):
        # The contract's codes are named like the domain's reasons: UNCLOSED_QUOTE is CODE_UNCLOSED_QUOTE.
        code = pb.ParseFailure.Code.Value(f"CODE_{ending.reason}")
        finish = pb.IngestFinish(failure=pb.ParseFailure(code=code, line=ending.line))
    elif ending is Ending.GIVE_BACK:
        finish = pb.IngestFinish(give_back=pb.GiveBack())
    else:
        finish = pb.IngestFinish(end_of_file=pb.EndOfFile())
    return pb.IngestRowsRequest(finish=finish)


def _checkpoint_from_proto(checkpoint: pb.Checkpoint) -> Checkpoint:
    return Checkpoint(offset=checkpoint.offset, line=checkpoint.line, records=checkpoint.records)


def _checkpoint_to_proto(checkpoint: Checkpoint) -> pb.Checkpoint:
    return pb.Checkpoint(offset=checkpoint.offset, line=checkpoint.line, records=checkpoint.records)
