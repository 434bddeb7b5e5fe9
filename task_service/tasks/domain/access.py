"""Whose things a list shows."""

from uuid import UUID

from task_service.access import sees_all
from chassis.kernel.identity import Caller
from chassis.kernel.ids import parse_id
from task_service.tasks.domain.errors import OwnerNotYours

EVERYBODY = "-"


def owner_filter(caller: Caller, asked: str) -> UUID | None:
    """Whose things to list: empty asks for the caller's own, "-" for everybody's, which is None.

    A service owns nothing: for it, empty is everybody's too.

    Raises:
        MalformedId: `asked` is neither empty, "-" nor an id.
        OwnerNotYours: a user asked for more than their own.

    """
    if not asked:
        return None if caller.is_service else caller.id
    owner = None if asked == EVERYBODY else parse_id(asked, field="owner_id")
    if owner != caller.id and not sees_all(caller):
        raise OwnerNotYours
    return owner
