"""The task and the rules for its values, the same for every way in: gRPC, REST and CSV."""

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from chassis.kernel import Caller, Invalid, refuse
from task_service.domain.errors import (
    BlankTitle,
    ForbiddenCharacter,
    LineBreakInTitle,
    MalformedDate,
    OwnerNotYours,
    OwnerRequired,
    TooLong,
    UnknownPriority,
    UnknownStatus,
)

LONGEST_TITLE = 500
LONGEST_DESCRIPTION = 20_000


class Status(StrEnum):
    """How far the work has come."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """How much the work presses."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


_STATUSES = {"": Status.PENDING, **{status.value: status for status in Status}}
_PRIORITIES = {"": Priority.NONE, **{priority.value: priority for priority in Priority}}


class Task(NamedTuple):
    """A piece of work. The order of the fields is the order of the table's columns."""

    id: UUID
    owner_id: UUID
    title: str
    description: str
    status: Status
    priority: Priority
    due_date: date | None
    import_id: UUID | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    deleted_at: datetime | None
    revision: int

    @property
    def etag(self) -> str:
        return str(self.revision)

    def is_visible_to(self, caller: Caller) -> bool:
        return caller.sees_everything or self.owner_id == caller.id

    def deleted(self, now: datetime) -> "Task":
        return self._replace(deleted_at=now, updated_at=now, revision=self.revision + 1)


class Values(NamedTuple):
    """What a client may say of a task, checked."""

    title: str
    description: str
    status: Status
    priority: Priority
    due_date: date | None


class TaskDraft(NamedTuple):
    """What a client says of a task, as text and unchecked. Empty is not said."""

    title: str = ""
    description: str = ""
    status: str = ""
    priority: str = ""
    due_date: str = ""
    owner_id: UUID | None = None

    def checked(self) -> Values:
        """The values, or every one that is wrong (InvalidTask, several at once)."""
        wrong: list[Invalid] = []
        values = Values(
            _title(self.title, wrong),
            _description(self.description, wrong),
            _status(self.status, wrong),
            _priority(self.priority, wrong),
            _due_date(self.due_date, wrong),
        )
        if wrong:
            refuse(wrong)
        return values

    def owner_for(self, caller: Caller) -> UUID:
        """Whose task it becomes: the caller's, or whom a manager, an admin or a service names."""
        return owner_for(caller, self.owner_id)


def owner_for(caller: Caller, named: UUID | None) -> UUID:
    """Whose a new thing is.

    Raises:
        OwnerRequired: a service named nobody.
        OwnerNotYours: a user named somebody else.

    """
    if named is None:
        if caller.is_service:
            raise OwnerRequired
        return caller.id
    if named != caller.id and not caller.sees_everything:
        raise OwnerNotYours
    return named


def new_task(values: Values, *, task_id: UUID, owner_id: UUID, now: datetime, import_id: UUID | None = None) -> Task:
    """A task as it begins."""
    completed_at = now if values.status is Status.COMPLETED else None
    return Task(task_id, owner_id, *values, import_id, now, now, completed_at, None, 1)


def _title(text: str, wrong: list[Invalid]) -> str:
    title = text.strip()
    if not title:
        wrong.append(BlankTitle())
    elif len(title) > LONGEST_TITLE:
        wrong.append(TooLong(field="title", limit=LONGEST_TITLE, length=len(title)))
    elif not title.isprintable():
        # Only now the slow look: nearly every title is printable.
        if "\n" in title or "\r" in title:
            wrong.append(LineBreakInTitle())
        _no_control_characters(title, "title", "", wrong)
    return title


def _description(text: str, wrong: list[Invalid]) -> str:
    if len(text) > LONGEST_DESCRIPTION:
        wrong.append(TooLong(field="description", limit=LONGEST_DESCRIPTION, length=len(text)))
    elif not text.isprintable():
        _no_control_characters(text, "description", "\n\r\t", wrong)
    return text


def _no_control_characters(text: str, field: str, allowed: str, wrong: list[Invalid]) -> None:
    """Refuses what Postgres can't hold (NUL) and what would garble a terminal or a spreadsheet (C0 and DEL)."""
    for character in text:
        if (character < " " or character == "\x7f") and character not in allowed and character not in "\r\n":
            wrong.append(ForbiddenCharacter(field=field, character=f"U+{ord(character):04X}"))
            return


def _status(word: str, wrong: list[Invalid]) -> Status:
    status = _STATUSES.get(word) or _STATUSES.get(fold(word))
    if status is None:
        wrong.append(UnknownStatus())
        return Status.PENDING
    return status


def _priority(word: str, wrong: list[Invalid]) -> Priority:
    priority = _PRIORITIES.get(word) or _PRIORITIES.get(fold(word))
    if priority is None:
        wrong.append(UnknownPriority())
        return Priority.NONE
    return priority


def fold(word: str) -> str:
    """A word as it is compared: "In-Progress" and "in progress" are in_progress."""
    return word.strip().lower().replace("-", "_").replace(" ", "_")


def _due_date(text: str, wrong: list[Invalid]) -> date | None:
    text = text.strip()
    if not text:
        return None
    try:
        # fromisoformat alone also takes 20260331 and week dates.
        if len(text) == 10:  # noqa: PLR2004 - YYYY-MM-DD
            return date.fromisoformat(text)
    except ValueError:
        pass
    wrong.append(MalformedDate())
    return None
