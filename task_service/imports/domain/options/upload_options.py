"""Options of an upload, parsed and validated."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chassis.kernel.errors import Invalid, raise_all
from task_service.csv_dialect.text import split_labels
from task_service.imports.domain.columns.errors import ContradictoryHeaderOptions, NegativeHeaderRow
from task_service.imports.domain.columns.mapping import FIELDS_OF_SEVERAL_COLUMNS, merge_mappings
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import ControlCharacterInFileName, FileNameTooLong, NegativeMaxErrors
from task_service.imports.domain.options.layers import overlay, set_options
from task_service.imports.domain.options.row_options import RowOptions
from task_service.tasks.domain.values import find_control_character, validate_labels

MAX_FILE_NAME_CHARACTERS = 255

_STORED_ROWS = "values"
"""Stored name of the options for rows, which statements of persistence and a migration use too."""

NO_SOURCE = "none"
"""Value of the option `source` that switches the recognition of the source off."""


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """Options of an upload, for the file and for its rows. A field with its default value is not set."""

    source: str = ""
    """Name of the tool that wrote the file, or NO_SOURCE."""
    encoding: str = ""
    delimiter: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Result of parse_mapping: field by column, "" for a column to ignore."""
    validate_only: bool = False
    max_errors: int = 0
    default_status: str = ""
    default_assignee: str = ""
    """A username."""
    default_labels: tuple[str, ...] = ()
    on_duplicate: OnDuplicate | None = None
    rows: RowOptions = field(default_factory=RowOptions)
    allow_same_file: bool = False
    has_header: bool | None = None
    header_row: int = 0
    """Physical line of the column names; 0 means the first line."""

    def __post_init__(self) -> None:
        if self.header_row and self.has_header is False:
            raise ContradictoryHeaderOptions

    def over(self, base: "UploadOptions") -> "UploadOptions":
        """Return these options, and the base's for those that are not set here."""
        single_fields = {used for used in self.mapping.values() if used} - FIELDS_OF_SEVERAL_COLUMNS
        mapping = {column: used for column, used in base.mapping.items() if used not in single_fields}
        return replace(
            overlay(self, base), mapping=merge_mappings(self.mapping, mapping), rows=self.rows.over(base.rows)
        )

    def for_another_file(self) -> "UploadOptions":
        """Return the options that may apply to another file too: the corrected errors.csv of an import."""
        return replace(
            self, encoding="", delimiter="", has_header=None, header_row=0, validate_only=False, allow_same_file=False
        )

    def to_json(self) -> dict[str, Any]:
        """Return the options that are set."""
        stored = set_options(self)
        stored.pop("rows", None)
        return stored | {_STORED_ROWS: self.rows.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "UploadOptions":
        """Return the options from their stored form."""
        values = dict(stored)
        if "on_duplicate" in values:
            values["on_duplicate"] = OnDuplicate(values["on_duplicate"])
        values["default_labels"] = tuple(values.get("default_labels", ()))
        values["rows"] = RowOptions.from_json(values.pop(_STORED_ROWS, {}))
        return cls(**values)


def check_file_name(name: str) -> None:
    """Raise FileNameTooLong or ControlCharacterInFileName for an invalid file name."""
    if len(name) > MAX_FILE_NAME_CHARACTERS:
        raise FileNameTooLong(limit=MAX_FILE_NAME_CHARACTERS)
    if found := find_control_character(name):
        raise ControlCharacterInFileName(character=found)


def parse_max_errors(number: int) -> int:
    """Return the maximum number of row errors. Raises NegativeMaxErrors."""
    if number < 0:
        raise NegativeMaxErrors
    return number


def parse_header_row(number: int) -> int:
    """Return the line of the column names. Raises NegativeHeaderRow."""
    if number < 0:
        raise NegativeHeaderRow
    return number


def parse_labels(text: str) -> tuple[str, ...]:
    """Return the comma-separated labels without blank ones. Raises InvalidTask."""
    errors: list[Invalid] = []
    found = validate_labels(split_labels(text), errors, field="default_labels")
    raise_all(errors)
    return found
