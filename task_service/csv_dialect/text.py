"""CSV text that a spreadsheet opens without running formulas in it."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

# Characters that start a formula in a spreadsheet (OWASP, "CSV Injection"), after any number of our apostrophes. Some
# locales also accept full-width characters, and a formula can follow a line end.
_SIGNS = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(f"'*{_SIGNS}")
_MARKED = re.compile(f"'+{_SIGNS}")

PIECE_CHARACTERS = 64 * 1024


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Return the rows as CSV text with commas and CRLF (RFC 4180). Formulas are neutralised."""
    return "".join(csv_pieces(rows))


def csv_pieces(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the same text in pieces of about 64 Ki characters and whole rows, to bound the memory."""
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
    """Return the cell, with an apostrophe before a formula. `plain` removes it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def split_labels(cell: str) -> tuple[str, ...]:
    """Return the comma-separated labels of a cell without blank ones."""
    return tuple(label for label in cell.split(",") if label and not label.isspace())


def plain(cell: str) -> str:
    """Return the cell without a neutralising apostrophe."""
    return cell[1:] if cell.startswith("'") and _MARKED.match(cell) else cell
