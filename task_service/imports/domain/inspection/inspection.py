"""Inspection of a file: what an import would make of it, and the options that fit it. Nothing is stored."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from task_service.csv_dialect.text import LABEL_SEPARATOR, unescape_formula
from task_service.history.domain.events import Actor
from task_service.imports.domain.columns.matching import column_references
from task_service.imports.domain.errors import FILE_FIELD
from task_service.imports.domain.header.header import Header, HeaderLimits
from task_service.imports.domain.imports import Defaults
from task_service.imports.domain.inspection.file_sample import FittedHeader, fit_header, read_sample
from task_service.imports.domain.inspection.value_proposals import propose_value
from task_service.imports.domain.options.row_options import OnUnknownAssignee, RowOptions
from task_service.imports.domain.options.row_rules import find_row_rules
from task_service.imports.domain.options.sources import load_sources
from task_service.imports.domain.options.upload_options import UploadOptions
from task_service.imports.domain.options.value_mapping import mapping_key
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.batch_columns import MAX_VALUE_CHARACTERS
from task_service.imports.domain.rows.conversion import ConvertedRows, convert_rows
from task_service.imports.domain.rows.failed_rows import RowError
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.domain.rows.row_selection import select_rows
from task_service.imports.domain.values.dates import DateOrder, DateParser
from task_service.imports.domain.values.errors import UnknownPriorityCell, UnknownStatusCell
from task_service.tasks.domain.task import Values

MAX_BYTES = 256 * 1024
MAX_SAMPLES = 3
MAX_DISTINCT_VALUES = 50
MAX_TASKS = 5
MAX_PROBLEMS = 50
MAX_UNMAPPED_VALUES = 200

_NOBODY = UUID(int=0)


class InspectedColumn(NamedTuple):
    """A column with the field that it fills, and some of its cells."""

    name: str
    target: str
    values: Sequence[str]
    """Different cells with text, at most MAX_DISTINCT_VALUES + 1."""


class UnmappedValue(NamedTuple):
    """Text that is no value of its field."""

    field: str
    text: str
    proposal: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Result of an inspection."""

    header: Header | None
    columns: Sequence[InspectedColumn] = ()
    unmapped_values: Sequence[UnmappedValue] = ()
    date_order: DateOrder | None = None
    tasks: Sequence[Values] = ()
    problems: Sequence[RowError] = ()
    options: UploadOptions


def inspect_file(
    data: bytes, options: UploadOptions, limits: HeaderLimits, *, is_complete: bool, now: datetime
) -> Inspection:
    """Inspect the beginning of a file. `is_complete` tells that it is the whole file.

    Raises the errors of an upload that no option mends, such as UnsupportedFormat and CompressedFile.
    """
    fitted = fit_header(data, options, limits, is_complete=is_complete)
    problems = [
        RowError(0, 0, "" if error.field == FILE_FIELD else error.field, "", error.reason, error.message)
        for error in fitted.problems
    ]
    header = fitted.header
    if header is None:
        columns = [InspectedColumn(name.strip(), field, ()) for name, field in fitted.columns_without_title]
        return Inspection(header=None, columns=columns, problems=problems, options=fitted.options)
    batch, failure = read_sample(data, header, is_complete=is_complete)
    errors = [error for rows in _convert(batch, header, now) for failed in rows.failed for error in failed.errors]
    if not problems:
        problems = errors[:MAX_PROBLEMS]
    if failure:
        problems = [*problems, RowError(0, failure.line, "", "", failure.code, failure.message)]
    unmapped_values = _unmapped_values(errors)
    date_order = _find_date_order(batch, header)
    fitted_header = replace(
        header, options=replace(header.options, rows=_fit_rows(header, batch, unmapped_values, date_order))
    )
    accepted = (values for rows in _convert(batch, fitted_header, now) for values in rows.accepted)
    return Inspection(
        header=header,
        columns=[_inspect_column(batch, header, index) for index in range(len(header.columns))],
        unmapped_values=unmapped_values,
        date_order=date_order,
        tasks=list(islice(accepted, MAX_TASKS)),
        problems=problems,
        options=_options_to_send(fitted, fitted_header),
    )


def _convert(batch: Batch, header: Header, now: datetime) -> Iterator[ConvertedRows]:
    """Convert the rows of a sample. Nobody is looked up, so an assignee counts as an empty cell."""
    options = header.options
    context = IngestContext(
        import_id=_NOBODY,
        owner_id=_NOBODY,
        actor=Actor(_NOBODY, "", ""),
        fields=header.fields,
        encoding=header.encoding,
        defaults=Defaults(options.default_status, None, options.default_labels),
        columns=header.columns,
        row_rules=find_row_rules(options.rows, header.columns),
        row_options=replace(options.rows, on_unknown_assignee=OnUnknownAssignee.LEAVE_EMPTY),
    )
    return convert_rows(batch, context, {}, select_rows(batch, context), now=now)


def _inspect_column(batch: Batch, header: Header, index: int) -> InspectedColumn:
    cells = (unescape_formula(cell).strip()[:MAX_VALUE_CHARACTERS] for cell in _column(batch, header, index))
    values = islice(dict.fromkeys(filter(None, cells)), MAX_DISTINCT_VALUES + 1)
    return InspectedColumn(header.columns[index].strip(), header.fields[index], list(values))


def _column(batch: Batch, header: Header, index: int) -> Sequence[str]:
    return batch.cells[index :: len(header.columns)]


def _unmapped_values(errors: Sequence[RowError]) -> Sequence[UnmappedValue]:
    # A text in a column of done is mapped as one of the status.
    fields = {UnknownStatusCell.reason: "status", UnknownPriorityCell.reason: "priority"}
    counter = Counter(
        (fields[error.code], unescape_formula(error.value).strip()) for error in errors if error.code in fields
    )
    return [
        UnmappedValue(field, text, propose_value(field, text), rows)
        for (field, text), rows in counter.most_common(MAX_UNMAPPED_VALUES)
    ]


def _find_date_order(batch: Batch, header: Header) -> DateOrder | None:
    """Return the only order that all due dates fit; None if there are several or none, or the options have a form."""
    options = header.options.rows
    if options.date_format or options.date_order or "due_date" not in header.fields:
        return None
    texts = {cell.strip() for cell in _column(batch, header, header.fields.index("due_date"))} - {""}
    any_order = DateParser(time_zone=options.time_zone)
    readable = list(filter(any_order.is_date, texts))
    parsers = {order: DateParser(order=order, time_zone=options.time_zone) for order in DateOrder}
    orders = [order for order, parser in parsers.items() if all(map(parser.is_date, readable))]
    return orders[0] if len(orders) == 1 else None


def _find_label_separator(batch: Batch, header: Header) -> str:
    """Return the only separator in the labels; an empty text if it is the default, or the source has its own."""
    if load_sources().keys() & {header.options.source}:
        return ""
    indexes = (index for index, used in enumerate(header.fields) if used == "labels")
    characters = set().union(*(set(cell) for index in indexes for cell in _column(batch, header, index)))
    found = characters & {LABEL_SEPARATOR, ";", "|"}
    return found.pop() if len(found) == 1 and LABEL_SEPARATOR not in found else ""


def _fit_rows(
    header: Header, batch: Batch, unmapped_values: Sequence[UnmappedValue], date_order: DateOrder | None
) -> RowOptions:
    """Return the options for the rows, with the proposals."""
    proposals: dict[str, dict[str, str]] = {}
    for value in unmapped_values:
        if value.proposal:
            proposals.setdefault(value.field, {})[mapping_key(value.text)] = value.proposal
    separator = _find_label_separator(batch, header)
    proposed = RowOptions(value_mapping=proposals, date_order=date_order, label_separator=separator)
    if "assignee" in header.fields and any(_column(batch, header, header.fields.index("assignee"))):
        proposed = replace(proposed, on_unknown_assignee=OnUnknownAssignee.LEAVE_EMPTY)
    return header.options.rows.over(proposed)


def _options_to_send(fitted: FittedHeader, header: Header) -> UploadOptions:
    """Return the options with a mapping of every used column, by its name or else by its number."""
    references = column_references(header.columns)
    mapping = {column: used for column, used in zip(references, header.fields, strict=True) if used}
    ignored = {column: used for column, used in header.options.mapping.items() if not used}
    header_row = fitted.options.header_row or header.options.header_row
    return replace(header.options, mapping={**ignored, **mapping}, header_row=header_row)
