"""Cells of each field in the rows of a batch, taken from the columns that fill the field."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import repeat, tee
from operator import itemgetter
from typing import NamedTuple

from task_service.csv_dialect.text import escape_formula, unescape_formula
from task_service.imports.domain.cells.label_cells import split_title
from task_service.imports.domain.cells.row_cells import Cell, RawCells
from task_service.imports.domain.cells.status_cells import StatusCells
from task_service.imports.domain.columns.mapping import APPEND, COMPLETED_AT, DONE, STATUS_OR_LABEL, TIME_ZONE
from task_service.imports.domain.options.row_options import RowOptions, is_null
from task_service.imports.domain.values.dates import is_zero_date

_DISTINCT_FIELDS = frozenset({"title", "description", "external_id", APPEND})
"""Fields with few equal cells: a cache would not pay."""


class DateCells(NamedTuple):
    """Cells that give a date or a time together."""

    text: str
    time_zone: str


class FieldCells:
    """Cells of a batch by field. The cells of several columns become one tuple, which is a key of a cache."""

    def __init__(
        self,
        indexes: Mapping[str, Sequence[int]],
        names: Sequence[str],
        cells: Sequence[str],
        width: int,
        options: RowOptions,
    ) -> None:
        """`indexes` has the columns of each field, and `cells` has the rows one after the other."""
        self._indexes = indexes
        self._names = names
        self._cells = cells
        self._width = width
        self._title_label_prefix = options.title_label_prefix or ""
        self._null_values = frozenset(options.null_values or ())

    def rows(self) -> Iterator[RawCells]:
        """Yield each row's cells."""
        titles, title_labels = self._titles()
        return zip(
            titles,
            self._descriptions(),
            self._statuses(),
            self._column("priority"),
            self._dates("due_date"),
            self._labels(title_labels),
            self._column("external_id"),
            self._column("assignee"),
            self._dates(COMPLETED_AT if self._indexes.get(COMPLETED_AT) else DONE),
            strict=False,  # missing columns are endless
        )

    def _titles(self) -> tuple[Iterable[str], Iterable[str] | None]:
        """Return the titles, and their labels if titles have labels."""
        titles, prefix = self._column("title"), self._title_label_prefix
        if not prefix:
            return titles, None
        plain, labels = tee(split_title(title, prefix) for title in titles)
        return map(itemgetter(0), plain), map(itemgetter(1), labels)

    def _descriptions(self) -> Iterable[str]:
        if not self._indexes.get(APPEND):
            return self._column("description")
        names = [" ".join(self._names[index].split()) or f"#{index + 1}" for index in self._indexes[APPEND]]

        def append(description: str, *cells: str) -> str:
            texts = [unescape_formula(cell).strip() for cell in cells]
            lines = [f"{name}: {text}" for name, text in zip(names, texts, strict=True) if text]
            if not lines:
                return description
            text = unescape_formula(description).rstrip()
            return escape_formula("\n".join([text, "", *lines] if text else lines))

        return map(append, self._column("description"), *self._columns(APPEND))

    def _statuses(self) -> Iterable[Cell]:
        if not self._indexes.keys() & set(StatusCells._fields[1:]):
            return self._column("status")
        *columns, times = map(self._column, StatusCells._fields)
        # Most times differ, but the status depends only on whether there is one.
        return zip(*columns, map(_mark_time, times), strict=False)

    def _dates(self, field: str) -> Iterable[Cell]:
        if not self._indexes.get(field) or not self._indexes.get(TIME_ZONE):
            return self._column(field)
        return zip(self._column(field), self._column(TIME_ZONE), strict=False)

    def _labels(self, title_labels: Iterable[str] | None) -> Iterable[Cell]:
        columns = self._columns("labels")
        if len(columns) <= 1 and title_labels is None and not self._indexes.get(STATUS_OR_LABEL):
            return columns[0] if columns else repeat("")
        status, status_or_label = self._column("status"), self._column(STATUS_OR_LABEL)
        return zip(status, status_or_label, title_labels or repeat(""), *columns, strict=False)

    def _column(self, field: str) -> Iterable[str]:
        columns = self._columns(field)
        return columns[0] if columns else repeat("")

    def _columns(self, field: str) -> Sequence[Iterable[str]]:
        columns = [self._cells[index :: self._width] for index in self._indexes.get(field, ())]
        if not self._null_values:
            return columns
        without_null = self._without_null if field in _DISTINCT_FIELDS else cache(self._without_null)
        return [map(without_null, cells) for cells in columns]

    def _without_null(self, cell: str) -> str:
        return "" if is_null(unescape_formula(cell), self._null_values) else cell


def _mark_time(cell: str) -> str:
    """Return a mark for a time, and an empty text for a text such as n/a, - or 0000-00-00."""
    return "x" if any(map(str.isdigit, cell)) and not is_zero_date(cell) else ""


def plain_cell(cell: Cell) -> Cell:
    """Return a cell without neutralising apostrophes."""
    return unescape_formula(cell) if isinstance(cell, str) else tuple(map(unescape_formula, cell))
