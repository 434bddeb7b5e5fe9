"""Rows as the text of a CSV file that a spreadsheet opens without running what is in it."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

# What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), behind any number of our own marks. In
# some languages they take the signs in full width for it as well, and behind a line end they look at what follows.
_SIGNS = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(f"'*{_SIGNS}")
_MARKED = re.compile(f"'+{_SIGNS}")

PIECE_CHARACTERS = 64 * 1024


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """The rows, comma-separated, each ended by CRLF (RFC 4180), formulas neutralised."""
    return "".join(csv_pieces(rows))


def csv_pieces(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The same, in pieces of about 64 Ki characters and whole rows: the text of many long rows is not held as one."""
    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([neutralised(cell) for cell in row])
        if text.tell() >= PIECE_CHARACTERS:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    if text.tell():
        yield text.getvalue()


def neutralised(cell: str) -> str:
    """The cell, with an apostrophe before what would be a formula. `plain` takes it away again."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def split_labels(cell: str) -> tuple[str, ...]:
    """The labels of a cell, which commas separate. Blank ones are none."""
    return tuple(label for label in cell.split(",") if label and not label.isspace())


def plain(cell: str) -> str:
    """What was neutralised as it was before."""
    return cell[1:] if cell.startswith("'") and _MARKED.match(cell) else cell
