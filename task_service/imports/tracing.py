"""Spans of the steps of an ingest stream. A span of the whole stream would be exported hours after its start."""

from dataclasses import replace
from uuid import UUID

from chassis.tracing.spans import Attributes
from chassis.tracing.traced import traced
from task_service.imports.domain.imports import Failure
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.usecases.ingest_rows import IngestRows
from task_service.imports.usecases.prepared_batch import PreparedBatch


def trace_steps(ingest_rows: IngestRows) -> IngestRows:
    """Return the use case with a span for each of its steps."""
    return replace(
        ingest_rows,
        prepare_batch=traced(ingest_rows.prepare_batch, "prepare batch", _describe_batch),
        ingest_batch=traced(ingest_rows.ingest_batch, "write batch", _describe_batch),
        finish_ingest=traced(ingest_rows.finish_ingest, "finish import", _describe_finish),
        release_lease=traced(ingest_rows.release_lease, "release lease", _describe_import),
    )


def _describe_batch(context: IngestContext, fence: int, batch: Batch | PreparedBatch, *_: object) -> Attributes:
    records = batch.end.records - batch.begin.records
    return {**_describe_import(context.import_id, fence), "taskmanager.batch.records": records}


def _describe_finish(import_id: UUID, fence: int, failure: Failure | None) -> Attributes:
    outcome = {"taskmanager.import.failure": failure.code} if failure else {}
    return {**_describe_import(import_id, fence), **outcome}


def _describe_import(import_id: UUID, fence: int) -> Attributes:
    return {"taskmanager.import.id": str(import_id), "taskmanager.import.fence": fence}
