"""Options that choose rows by the text of a column: `Archived!=true`, `TYPE=note`."""

from collections.abc import Sequence
from typing import NamedTuple

from task_service.imports.domain.columns.errors import (
    AmbiguousFilteredColumn,
    FilteredColumnMissing,
    MalformedRowFilter,
)
from task_service.imports.domain.columns.mapping import quote_column
from task_service.imports.domain.columns.matching import ColumnFinder, list_columns
from task_service.imports.domain.options.value_mapping import mapping_key
from task_service.imports.domain.values.synonyms import TRANSLATED_TRUTH_VALUES

MAX_FILTER_CHARACTERS = 2000

ROW_FILTER, CONTINUATION_ROWS = "row_filter", "continuation_rows"


class RowFilter(NamedTuple):
    """Condition on one cell of a row: its text is one of the texts, or is none of them."""

    column: str
    """Name as in the option, or a number such as #3."""
    texts: frozenset[str]
    """Keys of the texts; the empty one stands for an empty cell."""
    is_negated: bool

    def matches(self, cell: str) -> bool:
        """Return True if the row with this cell is chosen."""
        return (mapping_key(cell) in self.texts) is not self.is_negated

    def column_index(self, names: Sequence[str], option: str) -> int:
        """Return the index of the column. Raises FilteredColumnMissing, AmbiguousFilteredColumn."""
        indexes = ColumnFinder(names).find(self.column)
        if not indexes:
            raise FilteredColumnMissing(field=option, column=quote_column(self.column), columns=list_columns(names))
        if len(indexes) > 1:
            raise AmbiguousFilteredColumn(field=option, column=quote_column(self.column), number=indexes[0] + 1)
        return indexes[0]


def parse_row_filter(text: str | None) -> RowFilter | None:
    """Parse the option row_filter; None and an empty text are no filter. Raises MalformedRowFilter."""
    return _parse(text, ROW_FILTER, "Archived!=true or Type=Task|Bug")


def parse_continuation_rows(text: str | None) -> RowFilter | None:
    """Parse the option continuation_rows; None and an empty text are none. Raises MalformedRowFilter."""
    example = "TYPE=note"
    found = _parse(text, CONTINUATION_ROWS, example)
    if found is not None and found.is_negated:
        raise MalformedRowFilter(field=CONTINUATION_ROWS, problem="it can't have !=", example=example)
    return found


def _parse(text: str | None, option: str, example: str) -> RowFilter | None:
    if not text or text.isspace():
        return None
    column, equals, texts = text.partition("=")
    is_negated = column.endswith("!")
    name = column.removesuffix("!").strip()
    problem = ""
    if len(text) > MAX_FILTER_CHARACTERS or "\0" in text:
        problem = f"it has more than {MAX_FILTER_CHARACTERS} characters, or a NUL"
    elif not equals:
        problem = "it has no ="
    elif not name:
        problem = "the column is missing"
    if problem:
        raise MalformedRowFilter(field=option, problem=problem, example=example)
    keys = frozenset(map(mapping_key, texts.split("|")))
    translations = (mapping_key(word) for key in keys for word in TRANSLATED_TRUTH_VALUES.get(key, ()))
    return RowFilter(name, keys.union(translations), is_negated)
