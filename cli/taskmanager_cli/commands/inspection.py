"""Tables that show the result of an inspection. They go to stderr, because the import's result is on stdout."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taskmanager_cli.output import note, print_table, stderr

_MAX_SHOWN = 20
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def print_inspection(file: Path, inspection: dict[str, Any]) -> None:
    """Print the proposed mapping, the values that nothing maps, the first rows and the problems."""
    source = f"from {inspection['source']}, " if inspection["source"] else ""
    delimiter = _DELIMITERS.get(inspection["delimiter"], inspection["delimiter"])
    header = f"column names in line {inspection['header_row']}" if inspection["header_row"] else "no column names"
    if inspection["encoding"]:
        note(f"{file.name}: {source}{inspection['encoding']}, delimiter {delimiter}, {header}")
    _print_columns(inspection["columns"])
    _print_table(
        "Unknown statuses and priorities",
        ("field", "text", "rows", "becomes"),
        [
            (value["field"], value["text"], value["rows"], value["proposal"] or "an error of the row")
            for value in inspection["unmapped_values"]
        ],
    )
    _print_table(
        "First rows as tasks",
        ("title", "status", "priority", "due", "labels"),
        [
            (row["title"], row["status"], row["priority"], row["due_date"], ", ".join(row["labels"]))
            for row in inspection["rows"]
        ],
    )
    solved = {(value["field"], value["text"]) for value in inspection["unmapped_values"] if value["proposal"]}
    _print_table(
        "Problems at the beginning of the file",
        ("line", "column", "value", "message"),
        [
            (error["line"] or "", error["column"], error["value"], error["message"])
            for error in inspection["problems"]
            if (error["column"], error["value"]) not in solved
        ],
    )


def _print_columns(columns: list[dict[str, Any]]) -> None:
    used = [column for column in columns if column["target"]]
    rows = [(column["name"], column["target"], " | ".join(column["samples"])[:60]) for column in used]
    _print_table("Columns", ("column", "becomes", "for example"), rows)
    unused = [column["name"] for column in columns if not column["target"]]
    if unused:
        note(f"Not imported: {', '.join(unused)}")


def _print_table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        print_table(title, columns, rows[:_MAX_SHOWN], console=stderr())
    if len(rows) > _MAX_SHOWN:
        note(f"And {len(rows) - _MAX_SHOWN} more.")
