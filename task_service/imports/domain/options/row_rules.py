"""Rules that choose the rows of an import: its options, with the columns that they name in its file."""

from collections.abc import Sequence
from typing import NamedTuple

from task_service.imports.domain.options.row_filter import (
    CONTINUATION_ROWS,
    ROW_FILTER,
    RowFilter,
    parse_continuation_rows,
    parse_row_filter,
)
from task_service.imports.domain.options.row_options import RowOptions

MAX_CONTINUATION_ROWS = 200
"""Maximum number of rows that continue one task."""
MAX_CONTINUATION_BYTES = 256 * 1024
"""Maximum size of these rows in the file."""


class ColumnCondition(NamedTuple):
    """A condition, and the index of its column."""

    column: int
    condition: RowFilter


class RowRules(NamedTuple):
    """Conditions of the rows of an import."""

    row_filter: ColumnCondition | None = None
    """Rows that are imported; None means all."""
    continuation: ColumnCondition | None = None
    """Rows that continue the task above them; None means none."""

    def for_columns(self, used: Sequence[int]) -> "RowRules":
        """Return the rules for rows that have only these columns of the file."""
        return RowRules(*(rule and rule._replace(column=used.index(rule.column)) for rule in self))


def find_row_rules(options: RowOptions, names: Sequence[str]) -> RowRules:
    """Return the rules for a file with these column names.

    Raises MalformedRowFilter, FilteredColumnMissing, AmbiguousFilteredColumn.
    """
    return RowRules(
        _find_column(parse_row_filter(options.row_filter), names, ROW_FILTER),
        _find_column(parse_continuation_rows(options.continuation_rows), names, CONTINUATION_ROWS),
    )


def _find_column(condition: RowFilter | None, names: Sequence[str], option: str) -> ColumnCondition | None:
    return ColumnCondition(condition.column_index(names, option), condition) if condition else None
