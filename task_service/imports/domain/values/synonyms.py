"""Words of other tools for a status and a priority. Only CSV files may use them: the API takes only its own words.

A word that could mean two things, such as Blocked, Active or a bare number, is not in the tables.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar
from unicodedata import category, normalize

from task_service.tasks.domain.values import Priority, Status

STATUS_SYNONYMS: Mapping[Status, Sequence[str]] = MappingProxyType(
    {
        Status.PENDING: (
            "Pending",
            "To Do",
            "Open",
            "Opened",
            "Reopened",
            "New",
            "Backlog",
            "Not Started",
            "Unstarted",
            "Planned",
            "Triage",
            "Needs Action",
            "Selected for Development",
            "Incomplete",
            "Uncompleted",
            "Unresolved",
        ),
        Status.IN_PROGRESS: (
            "In Progress",
            "Doing",
            "Started",
            "In Process",
            "Ongoing",
            "Underway",
            "Working",
            "Working on it",
            "Work in Progress",
            "WIP",
            "In Development",
            "Review",
            "In Review",
            "Under Review",
            "Code Review",
            "In Code Review",
            "Testing",
            "In Testing",
            "QA",
            "In QA",
        ),
        Status.COMPLETED: (
            "Completed",
            "Complete",
            "Done",
            "Closed",
            "Resolved",
            "Finished",
            "Fixed",
            "Verified",
            "Merged",
            "Released",
            "Deployed",
            "Shipped",
        ),
        Status.CANCELLED: (
            "Cancelled",
            "Canceled",
            "Won't Do",
            "Will Not Do",
            "Won't Fix",
            "Not Planned",
            "Abandoned",
            "Dropped",
            "Discarded",
            "Declined",
            "Rejected",
            "Duplicate",
            "Obsolete",
        ),
    }
)

PRIORITY_SYNONYMS: Mapping[Priority, Sequence[str]] = MappingProxyType(
    {
        Priority.URGENT: (
            "Urgent",
            "Highest",
            "Very High",
            "Critical",
            "Blocker",
            "Immediate",
            "Emergency",
            "ASAP",
            "P0",
            "P1",
        ),
        Priority.HIGH: ("High", "High Priority", "Important", "Major", "P2"),
        Priority.MEDIUM: ("Medium", "Medium Priority", "Med", "Mid", "Normal", "Normal Priority", "Moderate", "P3"),
        Priority.LOW: ("Low", "Low Priority", "Lowest", "Very Low", "Minor", "Trivial", "P4"),
        Priority.NONE: ("None", "No Priority", "Not Set", "Unset"),
    }
)

CANCELLING_RESOLUTIONS: Sequence[str] = (
    *STATUS_SYNONYMS[Status.CANCELLED],
    "Will Not Fix",
    "Cannot Reproduce",
    "Can't Reproduce",
    "Not Reproducible",
    "Incomplete",
    "Invalid",
    "Not a Bug",
    "Works for Me",
    "Works as Designed",
)
"""Resolutions that turn a completed task into a cancelled one."""

TRUTH_COLUMNS = (
    *("Done", "Is Done", "Completed", "Is Completed", "Complete", "Is Complete", "Due Complete", "Finished"),
    *("✓", "✔", "☑", "✅"),
)
"""Names of columns that ask for a truth value. They fill the field done."""

PERCENTAGE_COLUMNS = ("% Complete", "% Completed", "% Done", "Percent Complete", "Percent Done", "Progress (%)")
"""Names of columns that ask for a progress. They fill the field status."""

TRANSLATED_TRUTH_VALUES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "true": ("WAHR", "VRAI", "VERDADERO", "VERDADEIRO", "VERO", "WAAR"),
        "false": ("FALSCH", "FAUX", "FALSO", "ONWAAR"),
    }
)
"""Words that spreadsheet programs in other languages write for TRUE and FALSE when they save a file."""

TRUTH_VALUES: Mapping[Status, Sequence[str]] = MappingProxyType(
    {
        Status.COMPLETED: (
            *("TRUE", "T", "Yes", "Y", "On", "Checked", "X", "[x]", "1", "✓", "✔", "☑", "✅"),
            *TRANSLATED_TRUTH_VALUES["true"],
        ),
        Status.PENDING: (
            *("FALSE", "F", "No", "N", "Off", "Unchecked", "[ ]", "0", "☐"),
            *TRANSLATED_TRUTH_VALUES["false"],
        ),
    }
)

MAX_WORD_CHARACTERS = 200
_COMPLETE_PERCENT = 100

Value = TypeVar("Value")

# The order of a word in a list: "1. To Do", "2 - Medium", "(3) Low". A word of one letter may be a truth value.
_ORDER = re.compile(r"(?:\(\d{1,2}\)|\d{1,2} ?[-\u2013\u2014.):]) ?(?=\W{0,4}[^\W\d_]{2})")
_NUMBER_OF_ORDER = re.compile(r"\d{1,2}", re.ASCII)
_PERCENTAGE = re.compile(r"(\d{1,3}(?:[.,]\d{1,16})?)( ?%)?", re.ASCII)
_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2013'\u2018\u2019\ufe0f\u200d]+")


def word_key(word: str) -> str:
    """Return the form in which words are compared: without case, spaces, hyphens, apostrophes and symbols.

    "To-Do", "TODO" and an emoji before "To do" are the same word. A word without letters stays as it is.
    """
    # Cut twice, because NFKC makes up to 18 characters of one.
    text = normalize("NFKC", word.strip()[:MAX_WORD_CHARACTERS])[:MAX_WORD_CHARACTERS].casefold()
    key = _SEPARATORS.sub("", text)
    if not key.isascii():
        letters = "".join(character for character in key if category(character) not in {"So", "Sk"})
        key = letters or key
    return key


def column_key(name: str) -> str:
    """Return the form in which column names are compared: that of words, without the marks of a form.

    "Done?", "Due date:" and "Task name*" are Done, Due date and Task name; "Assignee(s)" is Assignees.
    """
    return word_key(name.rstrip().rstrip("?:*").replace("(s)", "s"))


def find_word(word: str, words: Mapping[str, Value]) -> Value | None:
    """Return the value of a word, also with its order, as in `1. To Do` and `High (1)`; None if it has none."""
    value = words.get(word_key(word))
    if value is None and (plain := _without_order(word)):
        value = words.get(word_key(plain))
    return value


def _without_order(word: str) -> str:
    """Return a word without the number that gives its order, and an empty text if there is no number."""
    if order := _ORDER.match(word):
        return word[order.end() :]
    before, _, inside = word.removesuffix(")").rpartition("(") if word.endswith(")") else ("", "", "")
    for plain, number in ((before.strip(), inside), (inside.strip(), before.strip())):
        if len(plain) > 1 and _NUMBER_OF_ORDER.fullmatch(number):
            return plain
    return ""


def find_percentage(word: str, *, has_sign: bool = True) -> Status | None:
    """Return the status of a progress such as `50%`, or such as `50` without `has_sign`; None for other texts.

    A 1 without the sign is none: it can be 1% or, as a fraction, 100%.
    """
    match = _PERCENTAGE.fullmatch(word)
    if match is None or (has_sign and not match[2]):
        return None
    percent = float(match[1].replace(",", "."))
    if percent == 1 and not match[2]:
        return None
    if percent == _COMPLETE_PERCENT:
        return Status.COMPLETED
    return None if percent > _COMPLETE_PERCENT else Status.IN_PROGRESS if percent else Status.PENDING


STATUS_WORDS = {word_key(word): status for status, words in STATUS_SYNONYMS.items() for word in words}
PRIORITY_WORDS = {word_key(word): priority for priority, words in PRIORITY_SYNONYMS.items() for word in words}
TRUTH_WORDS = {word_key(word): status for status, words in TRUTH_VALUES.items() for word in words}
RESOLUTION_WORDS = {word_key(word): Status.CANCELLED for word in CANCELLING_RESOLUTIONS}
_TRUTH_COLUMN_KEYS = frozenset(map(column_key, TRUTH_COLUMNS))
_PERCENTAGE_COLUMN_KEYS = frozenset(map(column_key, PERCENTAGE_COLUMNS))


def asks_for_truth(column: str) -> bool:
    """Return True if a column with this name asks for a truth value."""
    return column_key(column) in _TRUTH_COLUMN_KEYS


def asks_for_percentage(column: str) -> bool:
    """Return True if a column with this name asks for a progress."""
    return column_key(column) in _PERCENTAGE_COLUMN_KEYS
