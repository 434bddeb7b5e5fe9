"""Conversion of an upload's options from their message."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from taskmanager.imports.v1 import import_service_pb2

from task_service.csv_dialect.delimiter import parse_delimiter
from task_service.imports.domain.column_mapping import parse_mapping
from task_service.imports.domain.date_formats import parse_date_format
from task_service.imports.domain.dates import DateOrder, parse_time_zone
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import UnknownOnDuplicate
from task_service.imports.domain.text_encoding import parse_encoding
from task_service.imports.domain.upload_options import (
    UploadOptions,
    parse_header_row,
    parse_labels,
    parse_max_errors,
)
from task_service.imports.domain.value_errors import UnknownDateOrder, UnknownValueRule
from task_service.imports.domain.value_options import (
    OnUnknownAssignee,
    OnUnknownDate,
    OnUnknownValue,
    ValueOptions,
    parse_label_separator,
    parse_value_mapping,
)
from task_service.tasks.domain.errors import UnknownStatus
from task_service.tasks.transport.translate import STATUS_VALUES

Rule = TypeVar("Rule", bound=StrEnum)


def _rules(enum: Any, prefix: str, rules: type[Rule]) -> Mapping[int, Rule]:
    return {enum.Value(f"{prefix}_{rule.name}"): rule for rule in rules}


_Options = import_service_pb2.UploadOptions
_ON_DUPLICATE = {0: OnDuplicate.FAIL, **_rules(_Options.OnDuplicate, "ON_DUPLICATE", OnDuplicate)}
_ON_UNKNOWN_VALUE = {
    0: OnUnknownValue.FAIL,
    **_rules(_Options.OnUnknownValue, "ON_UNKNOWN_VALUE", OnUnknownValue),
}
_ON_UNKNOWN_DATE = {0: OnUnknownDate.FAIL, **_rules(_Options.OnUnknownDate, "ON_UNKNOWN_DATE", OnUnknownDate)}
_ON_UNKNOWN_ASSIGNEE = {
    0: OnUnknownAssignee.FAIL,
    **_rules(_Options.OnUnknownAssignee, "ON_UNKNOWN_ASSIGNEE", OnUnknownAssignee),
}
_DATE_ORDER = _rules(_Options.DateOrder, "DATE_ORDER", DateOrder)


def upload_options_from_proto(options: import_service_pb2.UploadOptions) -> UploadOptions:
    """Return the options of an upload. Raises InvalidUpload, UnknownStatus."""
    status = STATUS_VALUES.get(options.default_status)
    if status is None:
        raise UnknownStatus(field="default_status")
    on_duplicate = _ON_DUPLICATE.get(options.on_duplicate)
    if on_duplicate is None:
        raise UnknownOnDuplicate
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
        has_header=options.has_header or not options.HasField("has_header"),
        header_row=parse_header_row(options.header_row),
        values=_value_options(options),
    )


def _value_options(options: import_service_pb2.UploadOptions) -> ValueOptions:
    if options.date_order and options.date_order not in _DATE_ORDER:
        raise UnknownDateOrder
    return ValueOptions(
        value_mapping=parse_value_mapping(options.value_mapping),
        on_unknown_status=_rule(_ON_UNKNOWN_VALUE, options, "on_unknown_status", OnUnknownValue.DEFAULT),
        on_unknown_priority=_rule(_ON_UNKNOWN_VALUE, options, "on_unknown_priority", OnUnknownValue.DEFAULT),
        on_unknown_date=_rule(_ON_UNKNOWN_DATE, options, "on_unknown_date", OnUnknownDate.EMPTY),
        on_unknown_assignee=_rule(_ON_UNKNOWN_ASSIGNEE, options, "on_unknown_assignee", OnUnknownAssignee.LEAVE_EMPTY),
        date_format=parse_date_format(options.date_format),
        date_order=_DATE_ORDER.get(options.date_order),
        time_zone=parse_time_zone(options.time_zone),
        label_separator=parse_label_separator(options.label_separator),
    )


def _rule(rules: Mapping[int, Rule], options: import_service_pb2.UploadOptions, field: str, other: Rule) -> Rule:
    found = rules.get(getattr(options, field))
    if found is None:
        raise UnknownValueRule(field=field, other=other)
    return found
