"""Roles of callers, and the objects that they may see."""

from enum import StrEnum
from uuid import UUID

from chassis.kernel.errors import DomainError, Invalid
from chassis.kernel.identity import Caller
from chassis.kernel.ids import parse_id

ALL_OWNERS = "-"
"""Value of the owner filter for the objects of all owners."""


ME = "me"
"""Value of a filter by user for the calling user."""


class Role(StrEnum):
    """Role of a user, as auth_service assigns it."""

    USER = "user"
    MANAGER = "manager"
    ADMIN = "admin"


class OwnerNotYours(DomainError):
    """Only a manager, an admin or a service may name another owner."""

    field = "owner_id"


class OwnerRequired(Invalid):
    """A service must set owner_id."""

    field = "owner_id"


class MeRequiresUser(Invalid):
    """A service is not a user. Use the id of a user instead of me."""


def sees_all(caller: Caller) -> bool:
    """Return whether the caller may see the objects of all owners: managers, admins, and services in their scopes."""
    return caller.is_service or caller.role in (Role.MANAGER, Role.ADMIN)


def actor_role(caller: Caller) -> str:
    """Return the name of the caller's role in the history; "service" for a service."""
    return caller.role or "service"


def resolve_me(caller: Caller, *, field: str) -> UUID:
    """Return the id of the calling user. Raises MeRequiresUser for a service."""
    if caller.is_service:
        raise MeRequiresUser(field=field)
    return caller.id


def owner_filter(caller: Caller, owner_id: str) -> UUID | None:
    """Return the owner whose objects a list shows; None for all owners.

    `owner_id` is the client's filter: "-" for all objects, "me" or empty for the caller's own ones. A service gets all
    objects for an empty filter.

    Raises:
        MalformedId: `owner_id` is neither empty, "-", "me" nor an id.
        MeRequiresUser: a service requested its own objects.
        OwnerNotYours: a user requested objects of other owners.

    """
    if not owner_id:
        return None if caller.is_service else caller.id
    if owner_id == ME:
        return resolve_me(caller, field="owner_id")
    owner = None if owner_id == ALL_OWNERS else parse_id(owner_id, field="owner_id")
    if owner != caller.id and not sees_all(caller):
        raise OwnerNotYours
    return owner


def owner_for(caller: Caller, requested_id: UUID | None) -> UUID:
    """Return the owner of a new object: the requested one, or else the caller.

    Raises:
        OwnerRequired: a service did not set an owner.
        OwnerNotYours: a user requested another owner.

    """
    if requested_id is None:
        if caller.is_service:
            raise OwnerRequired
        return caller.id
    if requested_id != caller.id and not sees_all(caller):
        raise OwnerNotYours
    return requested_id
