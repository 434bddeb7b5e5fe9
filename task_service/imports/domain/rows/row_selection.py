"""Rows of a batch that become tasks, and those that do not: the effect of row_filter and continuation_rows."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import NamedTuple

from task_service.csv_dialect.text import escape_formula, unescape_formula
from task_service.imports.domain.cells.row_cells import Cells
from task_service.imports.domain.options.row_options import is_null
from task_service.imports.domain.options.row_rules import MAX_CONTINUATION_ROWS, ColumnCondition, RowRules
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.ingest_context import IngestContext


class RowSelection(NamedTuple):
    """Result of the rules for the rows of a batch. Rows are indexes."""

    omitted: AbstractSet[int] = frozenset()
    """Rows that become no task of their own. They are skipped unless they are rejected."""
    continuations: Mapping[int, Sequence[int]] = MappingProxyType({})
    """By the row of a task: the rows that continue it."""
    surplus: Sequence[int] = ()
    """Rows that continue a task beyond the limit."""
    orphans: int = 0
    """Number of rows that continue a task, but have none above them in the file."""

    def defective_tasks(self, defects: Collection[int]) -> AbstractSet[int]:
        """Return the rows that have a defect, or are continued by one that has."""
        continued = {task for task, rows in self.continuations.items() if any(row in defects for row in rows)}
        return continued.union(defects)


EVERY_ROW = RowSelection()


def select_rows(batch: Batch, context: IngestContext) -> RowSelection:
    """Apply the rules of an import to the rows of a batch.

    The filter has no effect on rows that continue a task: they are skipped or rejected with it.
    """
    rules, width = context.row_rules, len(context.fields)
    if rules == RowRules():
        return EVERY_ROW
    null_values = context.row_options.null_values or ()
    omitted = _find_rows(rules.row_filter, batch.cells, width, matching=False, null_values=null_values)
    continuing = _find_rows(rules.continuation, batch.cells, width, matching=True)
    continuations = defaultdict[int, list[int]](list)
    surplus: list[int] = []
    orphans = 0
    task = -1
    has_task_before = batch.begin.records > context.orphaned_rows
    for row in range(len(batch.lines)) if continuing else ():
        if row not in continuing:
            task = row
        elif task < 0 and not has_task_before:
            orphans += 1
        elif task < 0 or len(continuations[task]) == MAX_CONTINUATION_ROWS:
            # The worker ends a batch before such a row only beyond the limit.
            surplus.append(row)
        elif task not in omitted:
            continuations[task].append(row)
    return RowSelection(omitted | continuing, continuations, surplus, orphans)


def orphan_warnings(orphans: int) -> Sequence[str]:
    """Return the warnings of an import with this number of orphans."""
    if not orphans:
        return ()
    rows = "1 row was" if orphans == 1 else f"{orphans} rows were"
    return (f"{rows} skipped: the file has no task above to continue (continuation_rows).",)


def continue_cells(cells: Cells, added: Sequence[Cells]) -> Cells:
    """Return the cells of a task with those of the rows that continue it: each is a paragraph of the description."""
    texts = [unescape_formula(text).strip() for row in added for text in (row.title, row.description)]
    paragraphs = filter(None, (unescape_formula(cells.description).rstrip(), *texts))
    return cells._replace(description=escape_formula("\n\n".join(paragraphs)))


def _find_rows(
    rule: ColumnCondition | None,
    cells: Sequence[str],
    width: int,
    *,
    matching: bool,
    null_values: Collection[str] = (),
) -> frozenset[int]:
    """Return the rows that match the rule, or those that do not; none without a rule."""
    if rule is None:
        return frozenset()
    column = cells[rule.column :: width]
    texts = {cell: unescape_formula(cell) for cell in set(column)}
    if null_values:
        texts = {cell: "" if is_null(text, null_values) else text for cell, text in texts.items()}
    found = {cell for cell, text in texts.items() if rule.condition.matches(text) is matching}
    return frozenset(row for row, cell in enumerate(column) if cell in found)
