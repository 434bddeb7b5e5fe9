"""A CSV file of tasks to import, with rows in it that are wrong in every way that a row can be."""

import csv
import io
import itertools
from dataclasses import dataclass
from datetime import date, timedelta

_HEADER = ("title", "description", "status", "priority", "due_date")
_VERBS = ("Call", "Pay", "Review", "Plan", "Answer", "Order", "Repair")
_THINGS = ("the supplier", "invoice", "the draft", "the workshop", "the letter", "spare parts", "the printer")
_STATUSES = ("pending", "in-progress", "completed")
_PRIORITIES = ("none", "low", "medium", "high", "urgent")
_FIRST_DAY = date(2026, 1, 1)
_DAYS = 365

_BAD_ROWS: tuple[tuple[str, ...], ...] = (
    ("   ", "a title of blanks", "pending", "low", ""),
    ("An unknown status", "", "someday", "low", ""),
    ("A day that no calendar has", "", "pending", "low", "2026-02-30"),
    ("A NUL\0byte", "which no Postgres text can hold", "pending", "low", ""),
    ("Too many cells", "", "pending", "low", "", "one", "two"),
    ("An unknown priority", "", "pending", "whenever", ""),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A file, and what an import of it must count."""

    content: bytes
    rows: int
    bad_rows: int


def make_sample(rows: int, bad_rows: int) -> Sample:
    """Makes a file of so many rows; the bad ones stand at equal distances among the others."""
    bad_rows = min(rows, bad_rows)
    bad_at = {(number * 2 + 1) * rows // (2 * bad_rows) for number in range(bad_rows)}
    kinds = itertools.cycle(_BAD_ROWS)
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(_HEADER)
    writer.writerows(next(kinds) if index in bad_at else _good_row(index) for index in range(rows))
    return Sample(content=file.getvalue().encode(), rows=rows, bad_rows=bad_rows)


def _good_row(index: int) -> tuple[str, ...]:
    verb = _VERBS[index % len(_VERBS)]
    thing = _THINGS[index // len(_VERBS) % len(_THINGS)]
    return (
        f"{verb} {thing} {index + 1}",
        f'As agreed in "the meeting",\nitem {index + 1}' if index % 10 == 0 else "",
        _STATUSES[index % len(_STATUSES)],
        _PRIORITIES[index % len(_PRIORITIES)],
        (_FIRST_DAY + timedelta(days=index % _DAYS)).isoformat(),
    )
