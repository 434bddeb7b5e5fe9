"""Conversions between an upload's options and their message. Pure functions."""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from taskmanager.imports.v1 import import_service_pb2

from chassis.rpc.proto_fields import enum_members
from task_service.csv_dialect.delimiter import parse_delimiter
from task_service.imports.domain.columns.mapping import parse_mapping
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import UnknownOnDuplicate
from task_service.imports.domain.header.text_encoding import parse_encoding
from task_service.imports.domain.options.row_filter import parse_continuation_rows, parse_row_filter
from task_service.imports.domain.options.row_options import (
    OnUnknownAssignee,
    OnUnknownDate,
    OnUnknownValue,
    RowOptions,
    parse_label_separator,
    parse_null_values,
    parse_title_label_prefix,
)
from task_service.imports.domain.options.sources import Source, parse_source
from task_service.imports.domain.options.upload_options import (
    UploadOptions,
    parse_header_row,
    parse_labels,
    parse_max_errors,
)
from task_service.imports.domain.options.value_mapping import parse_value_mapping
from task_service.imports.domain.values.date_formats import parse_date_format
from task_service.imports.domain.values.dates import DateOrder, parse_time_zone
from task_service.imports.domain.values.errors import UnknownDateOrder, UnknownValueRule
from task_service.tasks.domain.errors import UnknownStatus
from task_service.tasks.domain.values import Status
from task_service.tasks.transport.translate import STATUS_NUMBERS, STATUS_VALUES

Rule = TypeVar("Rule", bound=StrEnum)
Parsed = TypeVar("Parsed")


_Options = import_service_pb2.UploadOptions
_ON_DUPLICATE = enum_members(_Options.OnDuplicate, OnDuplicate)
_ON_UNKNOWN_VALUE = enum_members(_Options.OnUnknownValue, OnUnknownValue)
_ON_UNKNOWN_DATE = enum_members(_Options.OnUnknownDate, OnUnknownDate)
_ON_UNKNOWN_ASSIGNEE = enum_members(_Options.OnUnknownAssignee, OnUnknownAssignee)
_DATE_ORDER = enum_members(_Options.DateOrder, DateOrder)


def upload_options_from_proto(options: import_service_pb2.UploadOptions) -> UploadOptions:
    """Return the options of an upload. Raises InvalidUpload, UnknownStatus."""
    status = STATUS_VALUES.get(options.default_status)
    if status is None:
        raise UnknownStatus(field="default_status")
    if options.on_duplicate and options.on_duplicate not in _ON_DUPLICATE:
        raise UnknownOnDuplicate
    return UploadOptions(
        source=parse_source(options.source),
        encoding=parse_encoding(options.encoding),
        delimiter=parse_delimiter(options.delimiter),
        mapping=parse_mapping(options.mapping),
        validate_only=options.validate_only,
        max_errors=parse_max_errors(options.max_errors),
        default_status=status,
        default_assignee=options.default_assignee.strip(),
        default_labels=parse_labels(options.default_labels),
        on_duplicate=_ON_DUPLICATE.get(options.on_duplicate),
        allow_same_file=options.allow_same_file,
        has_header=options.has_header if options.HasField("has_header") else None,
        header_row=parse_header_row(options.header_row),
        rows=_row_options(options),
    )


def _row_options(options: import_service_pb2.UploadOptions) -> RowOptions:
    if options.date_order and options.date_order not in _DATE_ORDER:
        raise UnknownDateOrder
    return RowOptions(
        value_mapping=parse_value_mapping(options.value_mapping),
        on_unknown_status=_rule(_ON_UNKNOWN_VALUE, options, "on_unknown_status", OnUnknownValue.DEFAULT),
        on_unknown_priority=_rule(_ON_UNKNOWN_VALUE, options, "on_unknown_priority", OnUnknownValue.DEFAULT),
        on_unknown_date=_rule(_ON_UNKNOWN_DATE, options, "on_unknown_date", OnUnknownDate.EMPTY),
        on_unknown_assignee=_rule(_ON_UNKNOWN_ASSIGNEE, options, "on_unknown_assignee", OnUnknownAssignee.LEAVE_EMPTY),
        date_format=parse_date_format(options.date_format),
        date_order=_DATE_ORDER.get(options.date_order),
        time_zone=parse_time_zone(options.time_zone),
        label_separator=parse_label_separator(options.label_separator),
        row_filter=_parse_set(options, "row_filter", _checked(parse_row_filter)),
        continuation_rows=_parse_set(options, "continuation_rows", _checked(parse_continuation_rows)),
        null_values=_parse_set(options, "null_values", parse_null_values),
        title_label_prefix=_parse_set(options, "title_label_prefix", parse_title_label_prefix),
        strip_label_colors=_parse_set(options, "strip_label_colors", bool),
    )


def _rule(rules: Mapping[int, Rule], options: import_service_pb2.UploadOptions, field: str, other: Rule) -> Rule | None:
    value = getattr(options, field)
    if value and value not in rules:
        raise UnknownValueRule(field=field, other=other)
    return rules.get(value)


def _parse_set(options: import_service_pb2.UploadOptions, field: Any, parse: Callable[[Any], Parsed]) -> Parsed | None:
    """Return the parsed value of an optional field; None if it is not set."""
    return parse(getattr(options, field)) if options.HasField(field) else None


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    """Return a function that checks the text of an option and returns it."""

    def check(text: str) -> str:
        parse(text)
        return text.strip()

    return check


def upload_options_to_proto(options: UploadOptions) -> import_service_pb2.UploadOptions:
    """Return a message with the options that are set. It can be sent with another upload."""
    rows = options.rows
    default_status: Any = STATUS_NUMBERS[Status(options.default_status)] if options.default_status else None
    return import_service_pb2.UploadOptions(
        source=options.source,
        encoding=options.encoding,
        delimiter=options.delimiter,
        mapping=_to_json({column: field or None for column, field in options.mapping.items()}),
        validate_only=options.validate_only,
        max_errors=options.max_errors,
        default_status=default_status,
        default_assignee=options.default_assignee,
        default_labels=",".join(options.default_labels),
        on_duplicate=_number(_ON_DUPLICATE, options.on_duplicate),
        allow_same_file=options.allow_same_file,
        has_header=options.has_header,
        header_row=options.header_row,
        value_mapping=_to_json(
            {
                field: {text: value or None for text, value in texts.items()}
                for field, texts in rows.value_mapping.items()
            }
        ),
        on_unknown_status=_number(_ON_UNKNOWN_VALUE, rows.on_unknown_status),
        on_unknown_priority=_number(_ON_UNKNOWN_VALUE, rows.on_unknown_priority),
        on_unknown_date=_number(_ON_UNKNOWN_DATE, rows.on_unknown_date),
        on_unknown_assignee=_number(_ON_UNKNOWN_ASSIGNEE, rows.on_unknown_assignee),
        date_format=rows.date_format,
        date_order=_number(_DATE_ORDER, rows.date_order),
        time_zone=rows.time_zone,
        label_separator=rows.label_separator,
        row_filter=rows.row_filter,
        continuation_rows=rows.continuation_rows,
        null_values=None if rows.null_values is None else "|".join(rows.null_values),
        title_label_prefix=rows.title_label_prefix,
        strip_label_colors=rows.strip_label_colors,
    )


def date_order_to_proto(order: DateOrder | None) -> Any:
    """Return the number of the order, 0 for None."""
    return _number(_DATE_ORDER, order)


def source_to_proto(source: Source) -> import_service_pb2.ImportSource:
    return import_service_pb2.ImportSource(
        name=source.name,
        title=source.title,
        export=source.export,
        columns=source.columns,
        options=upload_options_to_proto(source.options),
    )


def _to_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def _number(rules: Mapping[int, Rule], value: Rule | None) -> Any:
    return next((number for number, rule in rules.items() if rule is value), 0)
