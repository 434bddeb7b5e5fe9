"""CSV text that a spreadsheet opens without running formulas in it."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from task_service.csv_dialect.delimiter import DEFAULT_DELIMITER

# Characters that start a formula in a spreadsheet (OWASP, "CSV Injection"), after any number of our apostrophes. Some
# locales also accept full-width characters, and a formula can follow a line end.
_FORMULA_STARTS = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(f"'*{_FORMULA_STARTS}")
_ESCAPED_FORMULA = re.compile(f"'+{_FORMULA_STARTS}")

LABEL_SEPARATOR = ","
_LIST = re.compile(r"\[([^\[\]]*)\]\s*")
_QUOTED_ITEM = re.compile(r"\s*['\"{]")

CHUNK_CHARACTERS = 64 * 1024


def csv_text(rows: Iterable[Sequence[str]], delimiter: str = DEFAULT_DELIMITER) -> str:
    """Return the rows as CSV text with CRLF (RFC 4180). Formulas are escaped."""
    return "".join(csv_chunks(rows, delimiter))


def csv_chunks(rows: Iterable[Sequence[str]], delimiter: str = DEFAULT_DELIMITER) -> Iterator[str]:
    """Yield the text of `csv_text` in chunks of whole rows. A chunk has about CHUNK_CHARACTERS, to bound the memory."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    for row in rows:
        writer.writerow([escape_formula(cell) for cell in row])
        if text.tell() >= CHUNK_CHARACTERS:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    if text.tell():
        yield text.getvalue()


def escape_formula(cell: str) -> str:
    """Return the cell, with an apostrophe before a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def split_labels(cell: str, separator: str = LABEL_SEPARATOR) -> tuple[str, ...]:
    """Return the labels of a cell such as `a,b`, `[a, b]` or `["a", "b"]` without blank ones.

    A line break is a separator too, because no label can have one.
    """
    if cell[:1] == "[" and (found := _LIST.fullmatch(cell)):
        cell = found[1]
        if _QUOTED_ITEM.match(cell) and (items := _quoted_items(cell)) is not None:
            return tuple(item for item in items if item and not item.isspace())
    if "\n" in cell:
        cell = separator.join(cell.splitlines())
    return tuple(label for label in cell.split(separator) if label and not label.isspace())


def _quoted_items(text: str) -> Sequence[str] | None:
    """Return the texts of a list in JSON or Python, or the names of JSON objects in a list; None for another text."""
    try:
        if text.lstrip().startswith("'"):
            return next(csv.reader([text.strip()], quotechar="'", skipinitialspace=True, strict=True), [])
        items: list[Any] = [item.get("name") if isinstance(item, dict) else item for item in json.loads(f"[{text}]")]
    except (csv.Error, ValueError, RecursionError):
        return None
    return items if all(isinstance(item, str) for item in items) else None


def join_labels(labels: Sequence[str], separator: str = LABEL_SEPARATOR) -> str:
    """Return a cell that split_labels reads as these labels."""
    cell = separator.join(labels)
    return f"{separator}{cell}" if _LIST.fullmatch(cell) else cell


def unescape_formula(cell: str) -> str:
    """Return the cell without the apostrophe that `escape_formula` adds."""
    return cell[1:] if cell.startswith("'") and _ESCAPED_FORMULA.match(cell) else cell
