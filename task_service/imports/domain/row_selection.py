"""Rows of a batch that become tasks, and those that do not: the effect of the option row_filter."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from task_service.csv_dialect.text import unescape_formula
from task_service.imports.domain.batch import Batch
from task_service.imports.domain.row_rules import ColumnCondition, RowRules


class RowSelection(NamedTuple):
    """Result of the rules for the rows of a batch."""

    omitted: AbstractSet[int] = frozenset()
    """Indexes of the rows that become no task. They are skipped, whatever their cells are."""


EVERY_ROW = RowSelection()


def select_rows(batch: Batch, rules: RowRules, width: int) -> RowSelection:
    """Apply the rules to the rows of a batch with this number of columns."""
    if rules.row_filter is None:
        return EVERY_ROW
    chosen = _matches(rules.row_filter, batch.cells, width)
    return RowSelection(frozenset(index for index, is_chosen in enumerate(chosen) if not is_chosen))


def _matches(condition: ColumnCondition, cells: Sequence[str], width: int) -> Sequence[bool]:
    """Return the result of the condition for each row."""
    column = cells[condition.column :: width]
    results = {cell: condition.matches(unescape_formula(cell)) for cell in set(column)}
    return [results[cell] for cell in column]
