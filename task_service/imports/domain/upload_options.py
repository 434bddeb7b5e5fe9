"""Options of an upload, parsed and validated."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chassis.kernel.errors import Invalid, raise_all
from task_service.csv_dialect.text import split_labels
from task_service.imports.domain.column_errors import ContradictoryHeaderOptions, NegativeHeaderRow
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import ControlCharacterInFileName, FileNameTooLong, NegativeMaxErrors
from task_service.imports.domain.value_options import ValueOptions
from task_service.tasks.domain.values import find_control_character, validate_labels

MAX_FILE_NAME_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """Options of an upload, for the file and for its rows. An empty value or 0 means not set."""

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
    on_duplicate: OnDuplicate = OnDuplicate.FAIL
    values: ValueOptions = field(default_factory=ValueOptions)
    allow_same_file: bool = False
    has_header: bool = True
    header_row: int = 0
    """Physical line of the column names; 0 means the first line."""

    def __post_init__(self) -> None:
        if self.header_row and not self.has_header:
            raise ContradictoryHeaderOptions


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
