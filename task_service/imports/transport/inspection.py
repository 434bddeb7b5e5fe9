"""Conversion of an inspection to its message. Pure functions."""

from taskmanager.imports.v1 import import_service_pb2

from chassis.rpc.proto_fields import timestamp_to_proto
from task_service.imports.domain.inspection.inspection import (
    MAX_DISTINCT_VALUES,
    MAX_SAMPLES,
    InspectedColumn,
    Inspection,
)
from task_service.imports.domain.options.upload_options import NO_SOURCE
from task_service.imports.transport.translate import row_error_to_proto
from task_service.imports.transport.upload_options import date_order_to_proto, upload_options_to_proto
from task_service.tasks.domain.task import Values
from task_service.tasks.transport.translate import PRIORITY_NUMBERS, STATUS_NUMBERS


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
        column_warnings=header.column_warnings if header else (),
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


def _task_to_proto(values: Values) -> import_service_pb2.InspectedTask:
    return import_service_pb2.InspectedTask(
        title=values.title,
        description=values.description,
        status=STATUS_NUMBERS[values.status],
        priority=PRIORITY_NUMBERS[values.priority],
        due_date=values.due_date.isoformat() if values.due_date else "",
        labels=values.labels,
        external_id=values.external_id,
        completed_at=timestamp_to_proto(values.completed_at),
    )
