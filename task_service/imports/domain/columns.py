"""Fields that the columns of a file fill: by the option `mapping`, otherwise by their names."""

from collections.abc import Mapping, Sequence

from task_service.imports.domain.column_synonyms import find_column_synonym
from task_service.imports.domain.errors import DuplicateColumn, MappedColumnMissing, MissingTitleColumn
from task_service.tasks.domain.values import normalize_word

MAX_LISTED_COLUMNS = 20
"""Maximum number of columns that an error lists."""
MAX_LISTED_CHARACTERS = 40
"""Maximum characters of a column name in an error."""


def match_columns(names: Sequence[str], mapping: Mapping[str, str]) -> tuple[str, ...]:
    """Return the field of each column, "" for unused ones.

    Raises:
        MappedColumnMissing: the mapping names a missing column.
        DuplicateColumn: two columns fill one field equally well.
        MissingTitleColumn: no column fills the title.

    """
    columns = [normalize_column(name) for name in names]
    for column in mapping.values():
        if column not in columns:
            raise MappedColumnMissing(column=repr(column[:MAX_LISTED_CHARACTERS]))
    mapped = {column: field for field, column in mapping.items()}
    fields = [mapped.get(column, "") for column in columns]
    _match_by_name(names, fields)
    for field in set(fields) - {""}:
        if fields.count(field) > 1:
            names_of_field = [name for name, used in zip(names, fields, strict=True) if used == field]
            raise DuplicateColumn(column=field, names=list_columns(names_of_field))
    if "title" not in fields:
        raise MissingTitleColumn(columns=list_columns(names))
    return tuple(fields)


def normalize_column(name: str) -> str:
    """Normalize a column name for comparison. A name may have line breaks and repeated spaces."""
    return normalize_word(" ".join(name.split()))


def list_columns(names: Sequence[str]) -> str:
    """Return the first names for an error message, and the number of further ones."""
    listed = ", ".join(map(_quote, names[:MAX_LISTED_COLUMNS]))
    more = len(names) - MAX_LISTED_COLUMNS
    return f"{listed} and {more} more" if more > 0 else listed


def _match_by_name(names: Sequence[str], fields: list[str]) -> None:
    """Set the fields of further columns by their names. For each field, the first name of the table wins."""
    found = [None if field else find_column_synonym(name) for name, field in zip(names, fields, strict=True)]
    best_ranks = dict.fromkeys(fields, -1)
    for field, rank in filter(None, found):
        best_ranks[field] = min(rank, best_ranks.get(field, rank))
    for index, synonym in enumerate(found):
        if synonym and synonym.rank == best_ranks[synonym.field]:
            fields[index] = synonym.field


def _quote(name: str) -> str:
    return repr(name.strip()[:MAX_LISTED_CHARACTERS])
