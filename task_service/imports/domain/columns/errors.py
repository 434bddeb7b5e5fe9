"""Errors of the columns of a file, and of the options for them. A docstring is the message."""

from collections.abc import Sequence

from task_service.imports.domain.errors import InvalidUpload


class MalformedMapping(InvalidUpload):
    """Malformed mapping: {problem}. Write it like title:Subject,due_date:Due or like {{"Subject": "title"}}."""

    field = "mapping"


class DuplicateMappedColumn(InvalidUpload):
    """The mapping has the column {column} twice. Give each column one field, or null."""

    field = "mapping"


class UnknownMappedField(InvalidUpload):
    """The mapping gives the column {column} to {name}, which is not a field. Use {fields}, or null in JSON."""

    field = "mapping"


class MappedColumnMissing(InvalidUpload):
    """The mapping gives the column {column} to {name}, but the file has no such column. Found: {columns}."""

    field = "mapping"


class EmptyHeaderRow(InvalidUpload):
    """Line {line} of the file is empty or missing. Set the option header_row to the line of the column names."""

    field = "header_row"


class HeaderRowTooFar(InvalidUpload):
    """The lines above the header line have more than {limit} bytes. Remove them."""

    field = "header_row"


class NegativeHeaderRow(InvalidUpload):
    """The option header_row must be a line from 1, or 0 for the first line."""

    field = "header_row"


class ContradictoryHeaderOptions(InvalidUpload):
    """Set has_header=false or header_row, not both."""

    field = "header_row"


class MissingTitleColumn(InvalidUpload):
    """No column fills the title. Choose one with the option mapping=title:COLUMN. Found: {columns}.

    If another line has the column names, set header_row; if no line has them, set has_header=false.
    """

    names: Sequence[str]
    fields: Sequence[str]
    """Field of each column, "" for none."""


class DuplicateColumn(InvalidUpload):
    """Several columns fill {column}: {names}. Choose one with the option mapping={column}:{number}."""

    column: str
    number: str
    """The first of these columns."""


class MalformedRowFilter(InvalidUpload):
    """Malformed {field}: {problem}. Write it like {example}."""


class FilteredColumnMissing(InvalidUpload):
    """The option {field} names the column {column}, but the file has no such column. Found: {columns}."""


class AmbiguousFilteredColumn(InvalidUpload):
    """The option {field} names the column {column}, which the file has several times. Use a number like #{number}."""


class UnknownSource(InvalidUpload):
    """Unknown source. Use {names}, or none to switch the recognition off."""

    field = "source"


class SourceColumnsMissing(InvalidUpload):
    """The file has no header line of {source}. Leave source out. Missing: {missing}. Found: {columns}."""

    field = "source"


class SourceWithoutHeader(InvalidUpload):
    """Set has_header=false or source, not both: a source has column names."""

    field = "source"
