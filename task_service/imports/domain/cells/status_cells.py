"""Status of a row from the cells of several columns."""

from collections.abc import Mapping
from typing import NamedTuple

from task_service.imports.domain.options.value_mapping import find_mapped_key
from task_service.imports.domain.values.dates import DateParser, is_zero_date
from task_service.imports.domain.values.synonyms import (
    RESOLUTION_WORDS,
    STATUS_WORDS,
    TRUTH_WORDS,
    find_percentage,
    find_word,
)
from task_service.tasks.domain.values import OPEN_STATUSES, Status


class StatusCells(NamedTuple):
    """Cells that give the status together."""

    status: str = ""
    status_or_label: str = ""
    done: str = ""
    resolution: str = ""
    completed_at: str = ""
    """Not empty if the row has a time of completion."""


class FoundStatus(NamedTuple):
    """Meaning of a word. A known word without a status is one that value_mapping maps to null."""

    is_known: bool
    status: Status | None


class StatusWords(NamedTuple):
    """Words that mean a status: first those of value_mapping by their keys, then those of the tables."""

    mapped: Mapping[str, Status | None]
    words: Mapping[str, Status] = STATUS_WORDS

    def find(self, cell: str) -> FoundStatus:
        """Return the meaning of a cell. An unknown word is no error."""
        text = cell.strip()
        if self.mapped and (key := find_mapped_key(self.mapped, text)):
            return FoundStatus(is_known=True, status=self.mapped[key])
        status = find_word(text, self.words)
        return FoundStatus(is_known=status is not None, status=status)


def combine_status(
    stated: Status | None, done: Status | None, *, has_completion_date: bool, has_status_column: bool
) -> Status | None:
    """Return the status of a row; None if its cells state none.

    A completion date and a closed status of the column done win over an open `stated` status. An open status of the
    column done counts only where no other is stated; pending, as in a cleared check box, only without a status column.
    """
    if has_completion_date and done is not Status.CANCELLED:
        done = Status.COMPLETED
    if done is None or (stated is not None and stated not in OPEN_STATUSES):
        return stated
    if done not in OPEN_STATUSES:
        return done
    if stated is None and not (done is Status.PENDING and has_status_column):
        return done
    return stated


def find_done_status(word: str, dates: DateParser) -> Status | None:
    """Return the status of a text in a column such as Done; None if it is unknown.

    A date means completed, and a zero date pending.
    """
    if status := find_word(word, TRUTH_WORDS) or find_word(word, STATUS_WORDS) or find_percentage(word):
        return status
    if is_zero_date(word):
        return Status.PENDING
    # The options may be about dates in another form.
    is_date = dates.is_date(word) or DateParser().is_date(word)
    return Status.COMPLETED if is_date else None


def is_cancelling(resolution: str, words: StatusWords) -> bool:
    """Return True if a resolution says that a completed task was cancelled."""
    found = StatusWords(words.mapped, RESOLUTION_WORDS).find(resolution)
    return found.status is Status.CANCELLED
