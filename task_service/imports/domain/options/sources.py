"""Sources: tools whose CSV files are known. A source is a named set of upload options, one data file for each tool."""

import csv
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from task_service.csv_dialect.delimiter import DELIMITERS
from task_service.imports.domain.columns.errors import SourceColumnsMissing, UnknownSource
from task_service.imports.domain.columns.mapping import (
    FIELDS_OF_SEVERAL_COLUMNS,
    normalize_column,
    parse_mapping,
    quote_column,
)
from task_service.imports.domain.columns.matching import ColumnFinder, list_columns
from task_service.imports.domain.options.row_filter import RowFilter, parse_continuation_rows, parse_row_filter
from task_service.imports.domain.options.row_options import (
    OnUnknownAssignee,
    OnUnknownValue,
    RowOptions,
    parse_label_separator,
    parse_null_values,
    parse_title_label_prefix,
)
from task_service.imports.domain.options.upload_options import NO_SOURCE, UploadOptions
from task_service.imports.domain.options.value_mapping import parse_value_mapping
from task_service.imports.domain.values.dates import DateOrder

MAX_SEARCHED_LINES = 40
"""Number of physical lines in which the header line of a source is looked for."""


@dataclass(frozen=True, slots=True)
class Source:
    """A tool, the columns by which its files are recognised, and the options for its files."""

    name: str
    title: str
    """Name of the tool for people."""
    export: str
    """Way to export a file from the tool."""
    columns: Sequence[str]
    """Column names by which a file is recognised; empty if the tool has no fixed columns."""
    headers: Sequence[frozenset[str]]
    """Alternatives of these, normalized. Only a header line of this tool has all names of one."""
    options: UploadOptions

    def recognises(self, normalized_names: AbstractSet[str]) -> bool:
        """Return True if only this tool writes a header line with these columns."""
        return any(header <= normalized_names for header in self.headers)

    def options_for(self, names: Sequence[str], mapping: Mapping[str, str]) -> UploadOptions:
        """Return the options without those about columns that the file does not have, or that `mapping` has.

        Raises SourceColumnsMissing when the header line is not one of the tool.
        """
        normalized_names = set(map(normalize_column, names))
        if self.headers and not self.recognises(normalized_names):
            missing = min((header - normalized_names for header in self.headers), key=len)
            raise SourceColumnsMissing(
                source=self.name, missing=", ".join(sorted(map(quote_column, missing))), columns=list_columns(names)
            )
        finder = ColumnFinder(names)
        rows = self.options.rows

        def has_column(condition: RowFilter | None) -> bool:
            return condition is not None and bool(finder.find(condition.column))

        return replace(
            self.options,
            mapping=dict(self._mapping_for(finder, mapping)),
            rows=replace(
                rows,
                row_filter=rows.row_filter if has_column(parse_row_filter(rows.row_filter)) else None,
                continuation_rows=rows.continuation_rows
                if has_column(parse_continuation_rows(rows.continuation_rows))
                else None,
            ),
        )

    def _mapping_for(self, finder: ColumnFinder, mapping: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield columns of the file and their fields, without those that `mapping` has.

        The first column of a field wins, in the order of the source.
        """
        mapped = {index for column in mapping for index in finder.find(column)}
        filled: set[str] = set()
        for column, used in self.options.mapping.items():
            indexes = finder.find(column)
            free = [index for index in indexes if index not in mapped]
            if not free or used in filled:
                continue
            if used not in FIELDS_OF_SEVERAL_COLUMNS | {""}:
                filled.add(used)
            if free == indexes:
                yield column, used
            else:
                yield from ((f"#{index + 1}", used) for index in free)


def parse_source(text: str) -> str:
    """Return the name of a source, NO_SOURCE, or an empty text. Raises UnknownSource."""
    name = text.strip().lower()
    if name and name != NO_SOURCE and name not in load_sources():
        raise UnknownSource(names=", ".join(load_sources()))
    return name


def recognise_source(names: Sequence[str]) -> Source | None:
    """Return the source of a header line; None if no source or several could have written it."""
    normalized_names = set(map(normalize_column, names))
    found = [source for source in load_sources().values() if source.recognises(normalized_names)]
    return found[0] if len(found) == 1 else None


def find_source_line(lines: Sequence[str], source: str, *, max_columns: int) -> int:
    """Return the number of the first line that is a header line of the source, or of any one; 0 if there is none.

    Tools write some lines of text above their header lines. Those have no line breaks in the names of columns. A line
    of more than `max_columns` is none.
    """
    for number, line in enumerate(lines[:MAX_SEARCHED_LINES], 1):
        for delimiter in DELIMITERS:
            try:
                names = next(csv.reader([line], delimiter=delimiter, strict=True), [])
            except csv.Error:
                continue
            found = recognise_source(names) if len(names) <= max_columns else None
            if found and source in {"", found.name}:
                return number
    return 0


@cache
def load_sources() -> Mapping[str, Source]:
    """Return all sources by name, in alphabetical order."""
    folder = resources.files("task_service.imports") / "sources"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    sources = [_parse_source(file.name.removesuffix(".toml"), tomllib.loads(file.read_text("utf-8"))) for file in files]
    return {source.name: source for source in sources}


def _parse_source(name: str, data: Mapping[str, Any]) -> Source:
    columns = {**data.get("mapping", {}), **dict.fromkeys(data.get("ignore", ()))}
    # Each column by itself: files of one tool may have different columns for one field.
    mappings = [parse_mapping(json.dumps({column: used})) for column, used in columns.items()]
    mapping = {column: used for each in mappings for column, used in each.items()}
    values = {option: _PARSERS[option](value) for option, value in data.get("options", {}).items()}
    values["value_mapping"] = parse_value_mapping(json.dumps(data.get("value_mapping", {})))
    return Source(
        name,
        data["title"],
        data["export"],
        next(iter(data["headers"]), ()),
        [frozenset(map(normalize_column, header)) for header in data["headers"]],
        UploadOptions(source=name, mapping=mapping, rows=RowOptions(**values)),
    )


_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "on_unknown_status": OnUnknownValue,
    "on_unknown_priority": OnUnknownValue,
    "on_unknown_assignee": OnUnknownAssignee,
    "date_order": DateOrder,
    "label_separator": parse_label_separator,
    "row_filter": str,
    "continuation_rows": str,
    "null_values": parse_null_values,
    "title_label_prefix": parse_title_label_prefix,
    "strip_label_colors": bool,
}
