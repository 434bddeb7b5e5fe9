"""Repair of records: after it, a record has as many cells as the header, and each cell can be sent."""

from collections.abc import Iterator
from dataclasses import dataclass

from import_worker.domain.batch import Defect, DefectKind


@dataclass(frozen=True, slots=True)
class RecordRepair:
    """Repair of the records of a file, with the delimiter and the number of its columns."""

    delimiter: str
    columns: int
    max_cell_characters: int

    def __call__(self, row: list[str], index: int, *, has_undecodable: bool) -> Iterator[Defect]:
        """Change the record with this index in its batch, and yield its defects."""
        if has_undecodable:
            yield from self._replace_undecodable(row, index)
        if len(row) != self.columns:
            yield from self._fit_columns(row, index)
        yield from self._truncate_cells(row, index)

    def _replace_undecodable(self, row: list[str], index: int) -> Iterator[Defect]:
        """Replace each undecodable byte by U+FFFD."""
        for column, cell in enumerate(row):
            replaced = cell.encode(errors="surrogateescape").decode(errors="replace")
            if replaced != cell:
                row[column] = replaced
                if column < self.columns:
                    yield Defect(row=index, kind=DefectKind.UNDECODABLE, cell=column)

    def _fit_columns(self, row: list[str], index: int) -> Iterator[Defect]:
        """Give the record as many cells as the header has. Surplus cells are a defect unless all are empty."""
        surplus = row[self.columns :]
        if surplus:
            if "".join(surplus).strip():
                text = self.delimiter.join(surplus)
                yield Defect(row=index, kind=DefectKind.TOO_MANY_CELLS, cell=len(row), surplus=text)
            del row[self.columns :]
        else:
            row.extend([""] * (self.columns - len(row)))

    def _truncate_cells(self, row: list[str], index: int) -> Iterator[Defect]:
        for column, cell in enumerate(row):
            if len(cell) > self.max_cell_characters:
                row[column] = cell[: self.max_cell_characters]
                yield Defect(row=index, kind=DefectKind.CELL_TOO_LONG, cell=column)
