"""Tables that show the result of an inspection. They go to stderr, because the import's result is on stdout."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taskmanager_cli.output import note, stderr, table

_MAX_SHOWN = 20


def print_inspection(file: Path, inspection: dict[str, Any]) -> None:
    """Print the proposed mapping, the values that nothing maps, the first rows and the problems."""
    source = f"from {inspection['source']}, " if inspection["source"] else ""
    delimiter = "tab" if inspection["delimiter"] == "\t" else inspection["delimiter"]
    header = f"column names in line {inspection['header_row']}" if inspection["header_row"] else "no column names"
    note(f"{file.name}: {source}{inspection['encoding']}, delimiter {delimiter}, {header}")
    _print_columns(inspection["columns"])
    _print_table(
        "Values that no status or priority has",
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
    _print_table(
        "Problems without the proposals",
        ("line", "column", "value", "message"),
        [(error["line"] or "", error["column"], error["value"], error["message"]) for error in inspection["problems"]],
    )


def _print_columns(columns: list[dict[str, Any]]) -> None:
    used = [column for column in columns if column["target"]]
    rows = [(column["name"], column["target"], ", ".join(column["samples"])[:60]) for column in used]
    _print_table("Columns", ("column", "becomes", "for example"), rows)
    unused = [column["name"] for column in columns if not column["target"]]
    if unused:
        note(f"Not imported: {', '.join(unused)}")


def _print_table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        stderr().print(table(title, columns, rows[:_MAX_SHOWN]))
    if len(rows) > _MAX_SHOWN:
        note(f"And {len(rows) - _MAX_SHOWN} more.")
