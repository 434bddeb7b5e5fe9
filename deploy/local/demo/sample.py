"""Sample CSV file of tasks to import. Its invalid rows show every kind of row error."""

import csv
import io
import itertools
from dataclasses import dataclass
from datetime import date, timedelta

_HEADER = ("title", "description", "status", "priority", "due_date")
_VERBS = ("Call", "Pay", "Review", "Plan", "Answer", "Order", "Repair")
_OBJECTS = ("the supplier", "invoice", "the draft", "the workshop", "the letter", "spare parts", "the printer")
_STATUSES = ("pending", "in-progress", "completed")
_PRIORITIES = ("none", "low", "medium", "high", "urgent")
_FIRST_DUE_DATE = date(2026, 1, 1)
_DUE_DATE_DAYS = 365

_INVALID_ROWS: tuple[tuple[str, ...], ...] = (
    ("   ", "the title is blank", "pending", "low", ""),
    ("An unknown status", "", "someday", "low", ""),
    ("A date that does not exist", "", "pending", "low", "2026-02-30"),
    ("A NUL\0byte", "Postgres text cannot hold it", "pending", "low", ""),
    ("Too many cells", "", "pending", "low", "", "one", "two"),
    ("An unknown priority", "", "pending", "whenever", ""),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """CSV file, with the row counts that its import must report."""

    content: bytes
    rows: int
    invalid_rows: int


def make_sample(rows: int, invalid_rows: int) -> Sample:
    """Return a file with this number of rows. The invalid rows are evenly spaced."""
    invalid_rows = min(rows, invalid_rows)
    invalid_indexes = {(number * 2 + 1) * rows // (2 * invalid_rows) for number in range(invalid_rows)}
    invalid_row = itertools.cycle(_INVALID_ROWS)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(_HEADER)
    writer.writerows(next(invalid_row) if index in invalid_indexes else _valid_row(index) for index in range(rows))
    return Sample(content=file.getvalue().encode(), rows=rows, invalid_rows=invalid_rows)


def _valid_row(index: int) -> tuple[str, ...]:
    verb = _VERBS[index % len(_VERBS)]
    noun = _OBJECTS[index // len(_VERBS) % len(_OBJECTS)]
    return (
        f"{verb} {noun} {index + 1}",
        f'As agreed in "the meeting",\nitem {index + 1}' if index % 10 == 0 else "",
        _STATUSES[index % len(_STATUSES)],
        _PRIORITIES[index % len(_PRIORITIES)],
        (_FIRST_DUE_DATE + timedelta(days=index % _DUE_DATE_DAYS)).isoformat(),
    )
