"""Tables that show the result of an inspection. They go to stderr, because the import's result is on stdout."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taskmanager_cli.commands.row_errors import print_row_errors
from taskmanager_cli.errors import NotImportable
from taskmanager_cli.output import note, print_table, printable, shorten, stderr

_MAX_SHOWN = 20
_MAX_SAMPLES = 60
_SHOWN_IN_TABLES = {"mapping", "value_mapping"}
_FIELDS = ("due_date", "status", "priority", "labels", "description")
_EXAMPLES = {"status": "pending", "priority": "none"}
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def require_importable(file: Path, inspection: dict[str, Any]) -> None:
    """Raise NotImportable if no column of the file fills the title.

    The advice names the first free column. A single name among several columns is a title above the column names.
    """
    columns = inspection["columns"]
    if any(column["target"] == "title" for column in columns):
        return
    message = inspection["problems"][-1]["message"]
    names = [column["name"] for column in columns if column["name"]]
    if len(names) == 1 < len(columns):
        option = "header_row=LINE"
    else:
        name = next((column["name"] for column in columns if column["name"] and not column["target"]), "COLUMN")
        option = shlex.quote(printable(f"mapping=title:{name}"))
    raise NotImportable(path=file.name, message=printable(message), option=option)


def print_inspection(
    file: Path,
    inspection: dict[str, Any],
    problems: Sequence[dict[str, Any]],
    *,
    given: Mapping[str, str],
    proposed: Mapping[str, str],
) -> None:
    """Print what the given and proposed options make of the file, and the problems that they leave."""
    source = f"from {inspection['source']}, " if inspection["source"] else ""
    delimiter = _DELIMITERS.get(inspection["delimiter"], inspection["delimiter"])
    header = f"column names in line {inspection['header_row']}" if inspection["header_row"] else "no column names"
    note(f"{file.name}: {source}{inspection['encoding']}, delimiter {delimiter}, {header}")
    if options := [f"{name}={value}" for name, value in proposed.items() if name not in _SHOWN_IN_TABLES]:
        note(f"Proposed options: {', '.join(options)}", wrap=True)
    _print_columns(inspection["columns"])
    if "mapping" in given:
        _note_mapping(inspection)
    _print_assignees(inspection["columns"], proposed)
    _print_table(
        "Unknown statuses and priorities",
        ("field", "text", "rows", "becomes"),
        [
            (value["field"], value["text"], value["rows"], value["proposal"] or "an error of the row")
            for value in inspection["unmapped_values"]
        ],
    )
    _note_value_mapping(inspection)
    _print_table(
        "First rows as tasks",
        ("title", "status", "priority", "due", "labels"),
        [
            (row["title"], row["status"], row["priority"], row["due_date"], ", ".join(row["labels"]))
            for row in inspection["rows"]
        ],
    )
    if problems:
        print_row_errors("Problems at the beginning of the file", problems[:_MAX_SHOWN], console=stderr())
    _note_more(len(problems))


def _print_columns(columns: list[dict[str, Any]]) -> None:
    used = [column for column in columns if column["target"]]
    rows = [
        (_name_of(column), column["target"], shorten(" | ".join(column["samples"]), _MAX_SAMPLES)) for column in used
    ]
    _print_table("Columns", ("column", "becomes", "for example"), rows)
    unused = [_name_of(column) for column in columns if not column["target"]]
    if unused:
        note(f"Not imported: {', '.join(unused)}", wrap=True)


def _name_of(column: dict[str, Any]) -> str:
    """Return the name of a column, or its number as in the option mapping."""
    return column["name"] or f"#{column['number']}"


def _note_mapping(inspection: dict[str, Any]) -> None:
    """Print the option that maps an unused column. It repeats the mapping of now, which it replaces."""
    targets = {column["target"] for column in inspection["columns"]}
    # The file of a known tool has its mapping, and its unused columns have no field.
    if inspection["source"] or "" not in targets:
        return
    free = next((field for field in _FIELDS if field not in targets), "append")
    mapping = json.loads(inspection["options"]["mapping"] or "{}") | {"COLUMN": free}
    is_short = all(field and "," not in column for column, field in mapping.items())
    text = ",".join(f"{field}:{column}" for column, field in mapping.items()) if is_short else _to_json(mapping)
    note(f"Map one with `--option {shlex.quote(f'mapping={text}')}`; commas separate several.")


def _note_value_mapping(inspection: dict[str, Any]) -> None:
    """Print the option that maps the unknown values. It repeats the values of now, which it replaces."""
    unknown = [value for value in inspection["unmapped_values"][:_MAX_SHOWN] if not value["proposal"]]
    if not unknown:
        return
    mapping = json.loads(inspection["options"]["value_mapping"] or "{}")
    for value in unknown:
        mapping.setdefault(value["field"], {})[value["text"]] = _EXAMPLES[value["field"]]
    note(f"Map them, to the values that you want, with `--option {shlex.quote(f'value_mapping={_to_json(mapping)}')}`.")


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _print_assignees(columns: list[dict[str, Any]], proposed: Mapping[str, str]) -> None:
    """Print the texts of assignees, because an import only counts the rows with unknown ones."""
    names = [name for column in columns if column["target"] == "assignee" for name in column["values"]]
    if names and "on_unknown_assignee" in proposed:
        more = " and others" if len(names) > _MAX_SHOWN else ""
        shown = ", ".join(shorten(name, _MAX_SAMPLES) for name in names[:_MAX_SHOWN])
        note(f"Assignees in the file: {shown}{more}. One that is no user's name or email counts as empty.", wrap=True)


def _print_table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        print_table(title, columns, rows[:_MAX_SHOWN], console=stderr())
    _note_more(len(rows))


def _note_more(number: int) -> None:
    if number > _MAX_SHOWN:
        note(f"And {number - _MAX_SHOWN} more.")
