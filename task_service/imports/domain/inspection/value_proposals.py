"""Proposals for words that the tables of synonyms leave out. An inspection shows them; no import uses them unasked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from task_service.imports.domain.values.synonyms import PRIORITY_WORDS, STATUS_WORDS, word_key
from task_service.tasks.domain.values import Status

_LIKELY_STATUSES: Mapping[Status, Sequence[str]] = MappingProxyType(
    {
        Status.PENDING: (
            *("Blocked", "On Hold", "Hold", "Waiting", "Waiting For", "Waiting On", "Deferred", "Postponed", "Paused"),
            *("Ready", "Next", "Next Up", "Later", "Someday", "Idea", "Inbox", "Scheduled", "Feedback"),
        ),
        Status.IN_PROGRESS: ("Active", "Current", "Today", "Working", "Developing", "Approval", "Verify"),
        Status.COMPLETED: ("Approved", "Accepted", "Delivered", "Published", "Live", "Archived"),
        Status.CANCELLED: ("Stopped", "Withdrawn", "Void", "Invalid", "Skipped"),
    }
)
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "status": {word_key(word): status.value for status, words in _LIKELY_STATUSES.items() for word in words}
        | {word: status.value for word, status in STATUS_WORDS.items()},
        "priority": {word: priority.value for word, priority in PRIORITY_WORDS.items()},
    }
)
MAX_PROPOSAL_CHARACTERS = 64
"""Maximum characters of a text with a proposal. A longer one is a sentence, and many would exceed value_mapping."""
_MAX_WORDS = 4
"""Maximum number of words in an entry of the tables."""
_NEGATIONS = frozenset({"not", "no", "non", "never"})


def propose_value(field: str, text: str) -> str:
    """Return the likely value of a status or a priority, or an empty text.

    A longer known text inside the text wins. Two values, or a negation that no known text explains, give none.
    """
    words = re.findall(r"[^\W_]+", text.casefold()) if len(text) <= MAX_PROPOSAL_CHARACTERS else []
    for size in range(min(_MAX_WORDS, len(words)), 0, -1):
        found = {value for part in _parts(words, size) if (value := _WORDS[field].get(word_key("".join(part))))}
        if found:
            is_negated = size == 1 and not _NEGATIONS.isdisjoint(words)
            return found.pop() if len(found) == 1 and not is_negated else ""
    return ""


def _parts(words: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (words[start : start + size] for start in range(len(words) - size + 1))
