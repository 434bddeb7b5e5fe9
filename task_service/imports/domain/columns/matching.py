"""Fields that the columns of a file fill: by the option `mapping`, otherwise by their names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from task_service.imports.domain.columns.errors import (
    DuplicateColumn,
    DuplicateMappedColumn,
    MappedColumnMissing,
    MissingTitleColumn,
)
from task_service.imports.domain.columns.mapping import FIELDS_OF_SEVERAL_COLUMNS, normalize_column, quote_column
from task_service.imports.domain.columns.synonyms import find_column_synonym

MAX_LISTED_COLUMNS = 20
"""Maximum number of columns that an error lists."""

_NUMBER = re.compile(r"#([1-9][0-9]{0,5})", re.ASCII)


class MatchedColumns(NamedTuple):
    """Field of each column, "" for the others, and the indexes of the columns that the mapping ignores."""

    fields: tuple[str, ...]
    ignored: frozenset[int]


def match_columns(names: Sequence[str], mapping: Mapping[str, str]) -> MatchedColumns:
    """Return the field of each column. The mapping is one of parse_mapping.

    Raises:
        MappedColumnMissing: the mapping names a missing column.
        DuplicateMappedColumn: the mapping has a column by its name and by its number.
        DuplicateColumn: two columns fill one field equally well, and the field is not labels or append.
        MissingTitleColumn: no column fills the title.

    """
    mapped = _match_by_mapping(names, mapping)
    fields = _match_by_name(names, mapped)
    for field in set(fields) - {"", *FIELDS_OF_SEVERAL_COLUMNS}:
        if fields.count(field) > 1:
            found = [f"#{index + 1} {quote_column(names[index])}" for index, used in enumerate(fields) if used == field]
            raise DuplicateColumn(column=field, names=_list(found), number=found[0].split()[0])
    if "title" not in fields:
        raise MissingTitleColumn(columns=list_columns(names), names=names, fields=fields)
    return MatchedColumns(tuple(fields), frozenset(index for index, field in mapped.items() if not field))


class ColumnFinder:
    """Finder of the columns of a file. A mapping of many columns must not search all names for each of them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._count = len(names)
        self._indexes: dict[str, list[int]] = {}
        for index, name in enumerate(names):
            self._indexes.setdefault(normalize_column(name), []).append(index)

    def find(self, column: str) -> Sequence[int]:
        """Return the indexes of the columns with a name, or of the one with a number such as #3."""
        column = normalize_column(column)
        if number := _NUMBER.fullmatch(column):
            return [int(number[1]) - 1] if int(number[1]) <= self._count else []
        return self._indexes.get(column, ())


def column_references(names: Sequence[str]) -> Iterator[str]:
    """Yield for each column the text that names only this column in a mapping: its name, or else its number."""
    finder = ColumnFinder(names)
    for index, name in enumerate(names):
        column = normalize_column(name)
        yield name.strip() if column and list(finder.find(name)) == [index] else f"#{index + 1}"


def list_columns(names: Sequence[str]) -> str:
    """Return the column names for an error message, the first ones if there are many."""
    return _list([quote_column(name) for name in names])


def _match_by_mapping(names: Sequence[str], mapping: Mapping[str, str]) -> Mapping[int, str]:
    """Return the fields of the mapped columns by index, "" for ignored columns."""
    mapped: dict[int, str] = {}
    finder = ColumnFinder(names)
    for column, field in mapping.items():
        indexes = finder.find(column)
        if not indexes:
            columns = list_columns(names)
            raise MappedColumnMissing(column=quote_column(column), name=field or "null", columns=columns)
        for index in indexes:
            if index in mapped:
                raise DuplicateMappedColumn(column=quote_column(names[index]))
            mapped[index] = field
    return mapped


def _match_by_name(names: Sequence[str], mapped: Mapping[int, str]) -> list[str]:
    """Return the field of each column. For each field without a mapping, the first name of the table wins."""
    found = {index: find_column_synonym(name) for index, name in enumerate(names) if index not in mapped}
    best_ranks = dict.fromkeys(mapped.values(), -1)
    for field, rank in filter(None, found.values()):
        best_ranks[field] = min(rank, best_ranks.get(field, rank))
    fields = [mapped.get(index, "") for index in range(len(names))]
    for index, synonym in found.items():
        if synonym and synonym.rank == best_ranks[synonym.field]:
            fields[index] = synonym.field
    return fields


def _list(names: Sequence[str]) -> str:
    """Return the first names for an error message, and the number of further ones."""
    listed = ", ".join(names[:MAX_LISTED_COLUMNS])
    more = len(names) - MAX_LISTED_COLUMNS
    return f"{listed} and {more} more" if more > 0 else listed
