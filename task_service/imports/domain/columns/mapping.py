"""The option `mapping`: fields for columns of the file."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from chassis.kernel.quoting import format_code_point, is_invisible, quote
from task_service.imports.domain.columns.errors import DuplicateMappedColumn, MalformedMapping, UnknownMappedField
from task_service.imports.domain.json_option import MAX_JSON_CHARACTERS, parse_json_object
from task_service.tasks.domain.csv_export import COLUMNS
from task_service.tasks.domain.values import normalize_word

APPEND = "append"
STATUS_OR_LABEL = "status_or_label"
DONE = "done"
RESOLUTION = "resolution"
COMPLETED_AT = "completed_at"
TIME_ZONE = "time_zone"

FIELDS = (*COLUMNS, COMPLETED_AT, DONE, RESOLUTION, STATUS_OR_LABEL, TIME_ZONE, APPEND)
"""Fields that a column can have: those of a task, and parts of them.

- completed_at: time of completion.
- done: truth value; true means completed.
- resolution: word that tells a cancelled task from a completed one.
- status_or_label: status if the word is known, otherwise a label.
- time_zone: zone of the dates in the row.
- append: line `Column: cell` at the end of the description.
"""

FIELDS_OF_TASK: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        COMPLETED_AT: ("status", "completed_at"),
        DONE: ("status",),
        RESOLUTION: ("status",),
        STATUS_OR_LABEL: ("status", "labels"),
        TIME_ZONE: (),
        APPEND: ("description",),
    }
)
"""Fields of a task that the other fields change."""

FIELDS_OF_SEVERAL_COLUMNS = frozenset({"labels", APPEND})
"""Fields that may have several columns."""


def parse_mapping(text: str) -> Mapping[str, str]:
    """Parse a mapping such as `{"Summary": "title", "#3": "labels", "Owner": null}` or `title:Summary,labels:#3`.

    Return the field of each column, "" for a column to ignore. The columns are numbers from #1, or names as in the
    text, which error messages quote.

    Raises:
        MalformedMapping: the text is malformed, or two columns have one field that is not labels or append.
        DuplicateMappedColumn: a column has two fields.
        UnknownMappedField: the field does not exist.

    """
    if len(text) > MAX_JSON_CHARACTERS:
        raise MalformedMapping(problem=f"it is longer than {MAX_JSON_CHARACTERS} characters")
    mapping: dict[str, str] = {}
    columns: set[str] = set()
    column_names: dict[str, str] = {}
    for name, word in _parse_json(text) if text.lstrip().startswith("{") else _parse_pairs(text):
        column, field = normalize_column(name), normalize_word(word)
        if not column:
            raise MalformedMapping(problem="a column has no name; use its number, such as #3")
        if column in columns:
            raise DuplicateMappedColumn(column=quote_column(name))
        if field and field not in FIELDS:
            fields = ", ".join(FIELDS)
            raise UnknownMappedField(column=quote_column(name), name=quote(word.strip()), fields=fields)
        if field in column_names and field not in FIELDS_OF_SEVERAL_COLUMNS:
            both = f"{quote_column(column_names[field])} and {quote_column(name)}"
            raise MalformedMapping(problem=f"{both} both fill {field}")
        columns.add(column)
        mapping[name.strip()] = field
        if field:
            column_names[field] = name
    return mapping


def merge_mappings(mapping: Mapping[str, str], base: Mapping[str, str]) -> Mapping[str, str]:
    """Return a mapping with the columns of the base that it does not have itself, however it spells them."""
    columns = set(map(normalize_column, mapping))
    return {column: field for column, field in base.items() if normalize_column(column) not in columns} | dict(mapping)


def normalize_column(name: str) -> str:
    """Normalize a column name for comparison. A name may have line breaks and repeated spaces."""
    return normalize_word(" ".join(name.split()))


def quote_column(name: str) -> str:
    """Return a column name for a message, with words for an invisible character. A long name is cut.

    All spaces are one space, as in a comparison of names.
    """
    name = " ".join(name.split())
    hidden = next((character for character in name if is_invisible(character)), "")
    return f"{quote(name)} with the invisible character {format_code_point(hidden)}" if hidden else quote(name)


def _parse_json(text: str) -> Iterator[tuple[str, str]]:
    def duplicate(name: str) -> DuplicateMappedColumn:
        return DuplicateMappedColumn(column=quote_column(name))

    for name, field in parse_json_object(text, malformed=MalformedMapping, duplicate=duplicate).items():
        yield name, _parse_field(name, field)


def _parse_field(name: str, field: Any) -> str:
    if field is None:
        return ""
    if not isinstance(field, str) or not field.strip():
        raise MalformedMapping(problem=f"the column {quote_column(name)} needs a field, or null")
    return field


def _parse_pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in filter(None, text.split(",")):
        field, colon, name = pair.partition(":")
        if not colon or not field.strip():
            raise MalformedMapping(problem=f"{quote_column(pair)} is no pair of a field and a column")
        yield name, field
