"""The rules for each value of a task, the same for every way in: gRPC, REST and CSV.

Each rule takes what the client says and a list that it adds to when that is not acceptable.
"""

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import cache
from itertools import chain
from uuid import UUID

from chassis.kernel.errors import Invalid
from chassis.kernel.ids import MalformedId
from chassis.kernel.ids import parse_id
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

LONGEST_TITLE = 500
LONGEST_DESCRIPTION = 20_000
LONGEST_EXTERNAL_ID = 200
LONGEST_LABEL = 64
MOST_LABELS = 50

LOST = "\N{REPLACEMENT CHARACTER}"
"""Stands where bytes could not be read: whoever sends it has lost what was there before."""

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

LINE_BREAKS = "\n\v\f\r\x85\u2028\u2029"
"""What ends a line wherever it stands (Unicode Standard Annex 14, mandatory breaks)."""

# What leaves no mark on a screen: C1 controls, Default_Ignorable_Code_Point (Unicode's DerivedCoreProperties.txt), the
# marks of annotations and the empty Braille cell.
_UNSEEN = (
    *(range(0x80, 0xA0), range(0x115F, 0x1161), range(0x17B4, 0x17B6), range(0x180B, 0x1810), range(0x200B, 0x2010)),
    *(range(0x202A, 0x202F), range(0x2060, 0x2070), range(0xFE00, 0xFE10), range(0xFFF0, 0xFFFC)),
    *(range(0x1BCA0, 0x1BCA4), range(0x1D173, 0x1D17B), range(0xE0000, 0xE1000)),
    (0xAD, 0x034F, 0x061C, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
)
UNSEEN = frozenset(map(chr, chain.from_iterable(_UNSEEN)))


class Status(StrEnum):
    """How far the work has come."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


UNFINISHED = (Status.PENDING, Status.IN_PROGRESS)
"""Where a task is overdue once its day has passed."""


class Priority(StrEnum):
    """How much the work presses, the least first."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


_STATUSES = {"": Status.PENDING, **{status.value: status for status in Status}}
_PRIORITIES = {"": Priority.NONE, **{priority.value: priority for priority in Priority}}


def title(text: str, wrong: list[Invalid]) -> str:
    kept = text.strip()
    if len(kept) > LONGEST_TITLE:
        wrong.append(TooLong(field="title", limit=LONGEST_TITLE, length=len(kept)))
    elif not kept or (kept[0] in UNSEEN and not is_visible(kept)):
        wrong.append(BlankTitle())
    elif not is_plain(kept):
        # Only now the slow look: nearly every title is plain.
        if any(character in LINE_BREAKS for character in kept):
            wrong.append(LineBreakInTitle())
        no_forbidden_characters(kept, "title", LINE_BREAKS, wrong)
    return kept


def description(text: str, wrong: list[Invalid]) -> str:
    if len(text) > LONGEST_DESCRIPTION:
        wrong.append(TooLong(field="description", limit=LONGEST_DESCRIPTION, length=len(text)))
    elif not is_plain(text):
        no_forbidden_characters(text, "description", "\n\r\t", wrong)
    return text


def is_plain(text: str) -> bool:
    """Whether there is nothing in the text that could be refused; False asks for `no_forbidden_characters`."""
    return text.isprintable() and LOST not in text


def is_visible(text: str) -> bool:
    """Whether anybody could see something of the text."""
    return any(character not in UNSEEN and not character.isspace() for character in text)


def no_forbidden_characters(text: str, field: str, allowed: str, wrong: list[Invalid]) -> None:
    """Refuses what Postgres can't hold (NUL), what would garble a terminal or a spreadsheet (C0, DEL), what is LOST."""
    if found := _forbidden_but(allowed).search(text):
        wrong.append(ForbiddenCharacter(field=field, character=_named(found[0])))


def control_character(text: str) -> str:
    """The first character of a name that would end its line or run in a terminal, such as U+0007; "" for none."""
    found = _CONTROLS.search(text)
    return _named(found[0]) if found else ""


@cache
def _forbidden_but(allowed: str) -> re.Pattern[str]:
    return re.compile(f"(?![{allowed}])[\x00-\x1f\x7f{LOST}]" if allowed else f"[\x00-\x1f\x7f{LOST}]")


def _named(character: str) -> str:
    return f"U+{ord(character):04X}"


def status(word: str, wrong: list[Invalid]) -> Status:
    found = _STATUSES.get(word) or _STATUSES.get(fold(word))
    if found is None:
        wrong.append(UnknownStatus())
        return Status.PENDING
    return found


def priority(word: str, wrong: list[Invalid]) -> Priority:
    found = _PRIORITIES.get(word) or _PRIORITIES.get(fold(word))
    if found is None:
        wrong.append(UnknownPriority())
        return Priority.NONE
    return found


def fold(word: str) -> str:
    """A word as it is compared: "In-Progress" and "in progress" are in_progress."""
    return word.strip().lower().replace("-", "_").replace(" ", "_")


def due_date(text: str, wrong: list[Invalid]) -> date | None:
    return calendar_date(text, "due_date", wrong)


def calendar_date(text: str, field: str, wrong: list[Invalid]) -> date | None:
    text = text.strip()
    if not text:
        return None
    found = read_date(text)
    if found is None:
        wrong.append(MalformedDate(field=field))
    return found


def read_date(text: str) -> date | None:
    """The day of a text such as 2026-03-31; None for any other."""
    # fromisoformat alone also takes 20260331 and weeks, as 2026-W14-2.
    if len(text) != len("YYYY-MM-DD") or text[4] != "-" or text[7] != "-":
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def external_id(text: str, wrong: list[Invalid]) -> str:
    kept = text.strip()
    if len(kept) > LONGEST_EXTERNAL_ID:
        wrong.append(TooLong(field="external_id", limit=LONGEST_EXTERNAL_ID, length=len(kept)))
    elif not is_plain(kept):
        no_forbidden_characters(kept, "external_id", "", wrong)
    return kept


def labels(words: Iterable[str], wrong: list[Invalid], *, field: str = "labels") -> tuple[str, ...]:
    """Labels as they were given, each once. One wrong label is told, not fifty: they are one field."""
    kept = tuple(dict.fromkeys(word.strip() for word in words))
    if len(kept) > MOST_LABELS:
        wrong.append(TooManyLabels(field=field, limit=MOST_LABELS, count=len(kept)))
        return kept
    for label in kept:
        if not label:
            wrong.append(BlankLabel(field=field))
        elif len(label) > LONGEST_LABEL:
            wrong.append(LabelTooLong(field=field, limit=LONGEST_LABEL, length=len(label)))
        elif "," in label:
            wrong.append(CommaInLabel(field=field))
        elif not is_plain(label):
            seen = len(wrong)
            no_forbidden_characters(label, field, "", wrong)
            if len(wrong) == seen:
                continue
        else:
            continue
        break
    return kept


def user_id(text: str, field: str, wrong: list[Invalid]) -> UUID | None:
    """Who is named; nobody for an empty text."""
    if not text:
        return None
    try:
        return parse_id(text, field=field)
    except MalformedId as error:
        wrong.append(error)
        return None


def assignee_id(text: str, wrong: list[Invalid]) -> UUID | None:
    return user_id(text, "assignee_id", wrong)
