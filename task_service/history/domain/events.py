"""Event: one committed change of one task, with actor, time, request and the old and new value of each field."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.identity import Caller
from task_service.access import actor_role


class Action(StrEnum):
    """Kind of change."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"
    PURGED = "purged"


class AccessChange(StrEnum):
    """Effect of a change on a user's access to the task."""

    GAINED = "gained"
    """The user could not see the task before the change."""
    LOST = "lost"
    """The user can't see the task after the change."""


ERASABLE_FIELDS = frozenset({"title", "description", "labels", "external_id"})
"""Fields with text that users write. Their values can be erased from history later."""


class Change(NamedTuple):
    """Old and new value of one field. An empty text means no value."""

    field: str
    old: str
    new: str
    erased: bool = False
    """Both values were erased; `old` and `new` are empty."""


class TaskEvent(NamedTuple):
    """One committed change of one task. The fields have the order of the table's columns."""

    id: UUID
    task_id: UUID
    owner_id: UUID
    assignee_id: UUID | None
    """Owner and assignee at that time: they may still see the event after the task is purged."""
    action: Action
    actor_id: UUID
    actor_role: str
    occurred_at: datetime
    request_id: str
    revision: int
    """Revision of the task after the change. A purge counts as one more."""
    changes: tuple[Change, ...]

    def access_change(self, user_id: UUID) -> AccessChange | None:
        """Return the effect on a user who could see the task before or after the change.

        Owner and assignee can see a task, and the owner never changes. A new task was visible to nobody before, but has
        no values from that time either, so its creation is no change of access.
        """
        if user_id == self.owner_id or self.action is Action.CREATED:
            return None
        if user_id != self.assignee_id:
            return AccessChange.LOST
        return AccessChange.GAINED if any(change.field == "assignee_id" for change in self.changes) else None


class Actor(NamedTuple):
    """User or service that makes a change, with the id of its request."""

    id: UUID
    role: str
    request_id: str

    @classmethod
    def from_caller(cls, caller: Caller) -> "Actor":
        """Return the actor of the caller's request."""
        return cls(caller.id, actor_role(caller), caller.request_id)


SYSTEM_ACTOR = Actor(UUID(int=0), "system", "")
"""Actor of changes without a request, such as emptying the trash."""
