"""Conversion of an inspection to its message. Pure functions."""

from uuid import UUID

from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2

from task_service.imports.domain.inspection.inspection import (
    MAX_DISTINCT_VALUES,
    MAX_SAMPLES,
    InspectedColumn,
    Inspection,
)
from task_service.imports.domain.options.upload_options import NO_SOURCE
from task_service.imports.transport.translate import row_error_to_proto
from task_service.imports.transport.upload_options import date_order_to_proto, upload_options_to_proto
from task_service.tasks.domain.task import Values, new_task
from task_service.tasks.transport.translate import task_to_proto

_UNKNOWN_FIELDS = ("id", "owner_id", "created_at", "updated_at", "etag")
"""Fields that only an imported task has."""


def inspection_to_proto(found: Inspection) -> import_service_pb2.InspectImportResponse:
    header, options = found.header, found.options
    return import_service_pb2.InspectImportResponse(
        source="" if options.source == NO_SOURCE else options.source,
        encoding=header.encoding if header else options.encoding,
        delimiter=header.delimiter if header else options.delimiter,
        header_row=header.row if header else 0,
        columns=[_column_to_proto(number, column) for number, column in enumerate(found.columns, 1)],
        unmapped_values=[import_service_pb2.UnmappedValue(**value._asdict()) for value in found.unmapped_values],
        date_order=date_order_to_proto(found.date_order),
        rows=map(_task_to_proto, found.tasks),
        problems=map(row_error_to_proto, found.problems),
        options=upload_options_to_proto(options),
    )


def _column_to_proto(number: int, column: InspectedColumn) -> import_service_pb2.InspectedColumn:
    return import_service_pb2.InspectedColumn(
        name=column.name,
        number=number,
        samples=column.values[:MAX_SAMPLES],
        target=column.target,
        values=column.values[:MAX_DISTINCT_VALUES],
        has_more_values=len(column.values) > MAX_DISTINCT_VALUES,
    )


def _task_to_proto(values: Values) -> task_pb2.Task:
    found = task_to_proto(new_task(values, task_id=UUID(int=0), owner_id=UUID(int=0)))
    for field in (*_UNKNOWN_FIELDS, *(() if values.completed_at else ("completed_at",))):
        found.ClearField(field)
    return found
