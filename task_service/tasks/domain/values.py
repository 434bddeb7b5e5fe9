"""Validation of each value of a task, the same for gRPC, REST and CSV.

Each function takes the client's value and a list to which it adds errors. It returns the normalized value.
"""

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import cache
from unicodedata import normalize
from uuid import UUID

from chassis.kernel.errors import Invalid, collect_errors
from chassis.kernel.ids import parse_id
from chassis.kernel.quoting import INVISIBLE_CHARACTERS, format_code_point
from task_service.tasks.domain.errors import (
    BlankLabel,
    BlankTitle,
    CommaInLabel,
    ForbiddenCharacter,
    LabelTooLong,
    LineBreakInTitle,
    MalformedDate,
    TooLong,
    TooManyLabels,
    UnknownPriority,
    UnknownStatus,
)

MAX_TITLE_CHARACTERS = 500
MAX_DESCRIPTION_CHARACTERS = 20_000
MAX_EXTERNAL_ID_CHARACTERS = 200
MAX_LABEL_CHARACTERS = 64
MAX_LABELS = 50

_MAX_NFC_RATIO = 4
"""Maximum number of characters that become one character in NFC."""

REPLACEMENT_CHARACTER = "\N{REPLACEMENT CHARACTER}"
"""A decoder's substitute for undecodable bytes. Text that contains it has lost data, so it is rejected."""

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

LINE_BREAKS = "\n\v\f\r\x85\u2028\u2029"
"""Mandatory line breaks (Unicode Standard Annex 14)."""


class Status(StrEnum):
    """Status of a task."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


OPEN_STATUSES = (Status.PENDING, Status.IN_PROGRESS)
"""Statuses in which a task becomes overdue after its due date."""


class Priority(StrEnum):
    """Priority of a task, lowest first."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


_STATUSES = {"": Status.PENDING, **{status.value: status for status in Status}}
_PRIORITIES = {"": Priority.NONE, **{priority.value: priority for priority in Priority}}


def validate_title(text: str, errors: list[Invalid]) -> str:
    value = text.strip()
    if len(value) > MAX_TITLE_CHARACTERS:
        errors.append(TooLong(field="title", limit=MAX_TITLE_CHARACTERS, length=len(value)))
    elif not value or (value[0] in INVISIBLE_CHARACTERS and not is_visible(value)):
        errors.append(BlankTitle())
    elif not is_plain(value):
        # The slow check runs only here, because nearly every title is plain.
        if any(character in LINE_BREAKS for character in value):
            errors.append(LineBreakInTitle())
        validate_characters(value, "title", LINE_BREAKS, errors)
    return value


def validate_description(text: str, errors: list[Invalid]) -> str:
    if len(text) > MAX_DESCRIPTION_CHARACTERS:
        errors.append(TooLong(field="description", limit=MAX_DESCRIPTION_CHARACTERS, length=len(text)))
    elif not is_plain(text):
        validate_characters(text, "description", "\n\r\t", errors)
    return text


def is_plain(text: str) -> bool:
    """Return True if the text can't contain a forbidden character. Otherwise call `validate_characters`."""
    return text.isprintable() and REPLACEMENT_CHARACTER not in text


def to_nfc(text: str) -> str:
    """Return the text in NFC, in which an accented letter has one spelling (Unicode Standard Annex 15)."""
    return text if text.isascii() else normalize("NFC", text)


def _normalize(text: str, limit: int) -> str:
    """Return the text in NFC without surrounding spaces.

    A text that is too long in NFC stays as it is: NFC of many combining marks takes quadratic time.
    """
    value = text.strip()
    return value if len(value) > _MAX_NFC_RATIO * limit else to_nfc(value)


def is_visible(text: str) -> bool:
    """Return whether the text has a visible character."""
    return any(character not in INVISIBLE_CHARACTERS and not character.isspace() for character in text)


def validate_characters(text: str, field: str, allowed: str, errors: list[Invalid]) -> None:
    """Report NUL, which Postgres can't store, C0 and DEL, which garble terminals and spreadsheets, and U+FFFD."""
    if error := _character_error(text, field, allowed):
        errors.append(error)


def _character_error(text: str, field: str, allowed: str) -> Invalid | None:
    found = _forbidden_except(allowed).search(text)
    return ForbiddenCharacter(field=field, character=format_code_point(found[0])) if found else None


def find_control_character(text: str) -> str:
    """Return the first control character or line separator, such as U+0007. Return "" if there is none."""
    found = _CONTROL_CHARACTERS.search(text)
    return format_code_point(found[0]) if found else ""


@cache
def _forbidden_except(allowed: str) -> re.Pattern[str]:
    return re.compile(
        f"(?![{allowed}])[\x00-\x1f\x7f{REPLACEMENT_CHARACTER}]"
        if allowed
        else f"[\x00-\x1f\x7f{REPLACEMENT_CHARACTER}]"
    )


def validate_status(word: str, errors: list[Invalid]) -> Status:
    found = _STATUSES.get(word) or _STATUSES.get(normalize_word(word))
    if found is None:
        errors.append(UnknownStatus())
        return Status.PENDING
    return found


def validate_priority(word: str, errors: list[Invalid]) -> Priority:
    found = _PRIORITIES.get(word) or _PRIORITIES.get(normalize_word(word))
    if found is None:
        errors.append(UnknownPriority())
        return Priority.NONE
    return found


def normalize_word(word: str) -> str:
    """Normalize a word for comparison: "In-Progress" and "in progress" become in_progress."""
    return word.strip().lower().replace("-", "_").replace(" ", "_")


def validate_due_date(text: str, errors: list[Invalid]) -> date | None:
    return validate_date(text, "due_date", errors)


def validate_date(text: str, field: str, errors: list[Invalid]) -> date | None:
    text = text.strip()
    if not text:
        return None
    found = parse_date(text)
    if found is None:
        errors.append(MalformedDate(field=field))
    return found


def parse_date(text: str) -> date | None:
    """Parse a date such as 2026-03-31; return None for any other text."""
    # fromisoformat alone also accepts 20260331 and week dates such as 2026-W14-2.
    if len(text) != len("YYYY-MM-DD") or text[4] != "-" or text[7] != "-":
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def validate_external_id(text: str, errors: list[Invalid]) -> str:
    value = _normalize(text, MAX_EXTERNAL_ID_CHARACTERS)
    if len(value) > MAX_EXTERNAL_ID_CHARACTERS:
        errors.append(TooLong(field="external_id", limit=MAX_EXTERNAL_ID_CHARACTERS, length=len(value)))
    elif not is_plain(value):
        validate_characters(value, "external_id", "", errors)
    return value


def validate_labels(words: Iterable[str], errors: list[Invalid], *, field: str = "labels") -> tuple[str, ...]:
    """Return the labels in NFC without duplicates. Only the first invalid one is reported: labels are one field."""
    value = tuple(dict.fromkeys(_normalize(word, MAX_LABEL_CHARACTERS) for word in words))
    if len(value) > MAX_LABELS:
        errors.append(TooManyLabels(field=field, limit=MAX_LABELS, count=len(value)))
        return value
    for label in value:
        if error := _label_error(label, field):
            errors.append(error)
            break
    return value


def _label_error(label: str, field: str) -> Invalid | None:
    if not label:
        return BlankLabel(field=field)
    if len(label) > MAX_LABEL_CHARACTERS:
        return LabelTooLong(field=field, limit=MAX_LABEL_CHARACTERS, length=len(label))
    if "," in label:
        return CommaInLabel(field=field)
    return None if is_plain(label) else _character_error(label, field, "")


def validate_id(text: str, field: str, errors: list[Invalid]) -> UUID | None:
    """Parse an id; return None for an empty text."""
    if not text:
        return None
    with collect_errors(errors):
        return parse_id(text, field=field)
    return None


def validate_assignee_id(text: str, errors: list[Invalid]) -> UUID | None:
    return validate_id(text, "assignee_id", errors)
