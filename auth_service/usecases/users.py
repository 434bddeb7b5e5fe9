"""Reading accounts, for admins, for other users and for services."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from auth_service.domain.accounts import (
    MAX_EMAIL_CHARACTERS,
    MAX_USERNAME_CHARACTERS,
    User,
    lookup_key,
    validate_username,
)
from auth_service.domain.errors import ExactlyOneIdentifier, TooManyEmails, TooManyIds, TooManyUsernames, UserNotFound
from auth_service.usecases.ports import Read
from chassis.kernel.errors import Invalid, MissingField
from chassis.kernel.pagination import Page, PageRequest

MAX_LOOKUP_RESULTS = 20
MAX_BATCH_SIZE = 1000

MAX_REQUESTED_USERNAME_CHARACTERS = 4 * MAX_USERNAME_CHARACTERS
"""Limit on a requested username before normalization, which can shorten it but takes quadratic time."""


@dataclass(frozen=True, slots=True)
class ListUsers:
    """List accounts for admins."""

    read: Read

    async def __call__(self, text: str, request: PageRequest) -> Page[User]:
        """Return accounts whose username or email contains the text, newest first."""
        async with self.read() as repositories:
            return await repositories.users.list_page(text, request)


@dataclass(frozen=True, slots=True)
class GetUser:
    """Read one account."""

    read: Read

    async def __call__(self, user_id: UUID) -> User:
        """Return the account; raise UserNotFound."""
        async with self.read() as repositories:
            user = await repositories.users.get(user_id)
        if user is None:
            raise UserNotFound
        return user


@dataclass(frozen=True, slots=True)
class ResolveUser:
    """Read an active account by id or username, for another service."""

    read: Read

    async def __call__(self, *, user_id: UUID | None, username: str) -> User:
        """Return the account.

        Raises:
            ExactlyOneIdentifier: not exactly one of id and username is given.
            InvalidUsername: no account can have this username.
            UserNotFound: the account does not exist or is disabled.

        """
        if (user_id is None) == (not username):
            raise ExactlyOneIdentifier
        async with self.read() as repositories:
            if user_id is None:
                user = await repositories.users.get_by_username(validate_username(username))
            else:
                user = await repositories.users.get(user_id)
        if user is None or user.disabled:
            raise UserNotFound
        return user


@dataclass(frozen=True, slots=True)
class LookupUsers:
    """Find active accounts by the start of their username."""

    read: Read

    async def __call__(self, text: str) -> Sequence[User]:
        """Return up to MAX_LOOKUP_RESULTS accounts, the exact match first; raise MissingField for a blank text."""
        if not text.strip():
            raise MissingField(field="q")
        async with self.read() as repositories:
            return await repositories.users.find_by_prefix(text, limit=MAX_LOOKUP_RESULTS)


@dataclass(frozen=True, slots=True)
class BatchGetUserNames:
    """Read the usernames of many accounts, for other services."""

    read: Read

    async def __call__(self, user_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """Return the usernames of existing accounts by id, disabled ones included; raise TooManyIds."""
        if len(user_ids) > MAX_BATCH_SIZE:
            raise TooManyIds(limit=MAX_BATCH_SIZE)
        async with self.read() as repositories:
            return await repositories.users.get_usernames(user_ids)


class UserIds(NamedTuple):
    """Ids of accounts, by username and by email as the caller spelt them."""

    by_username: Mapping[str, UUID]
    by_email: Mapping[str, UUID]


@dataclass(frozen=True, slots=True)
class BatchGetUserIds:
    """Read the ids of many accounts by username and by email, for other services."""

    read: Read

    async def __call__(self, usernames: Collection[str], emails: Collection[str]) -> UserIds:
        """Return the ids of active accounts by username and by email; raise TooManyUsernames or TooManyEmails."""
        if len(usernames) > MAX_BATCH_SIZE:
            raise TooManyUsernames(limit=MAX_BATCH_SIZE)
        if len(emails) > MAX_BATCH_SIZE:
            raise TooManyEmails(limit=MAX_BATCH_SIZE)
        username_keys = {username: key for username in usernames if (key := _username_key(username))}
        email_keys = {email: key for email in emails if (key := _email_key(email))}
        async with self.read() as repositories:
            ids = await repositories.users.get_ids(set(username_keys.values())) if username_keys else {}
            ids_by_email = await repositories.users.get_ids_by_email(set(email_keys.values())) if email_keys else {}
        return UserIds(
            {username: ids[key] for username, key in username_keys.items() if key in ids},
            {email: ids_by_email[key] for email, key in email_keys.items() if key in ids_by_email},
        )


def _username_key(username: str) -> str:
    """Return the lookup key of a username; an empty text if no account can have this username."""
    if len(username) > MAX_REQUESTED_USERNAME_CHARACTERS:
        return ""
    try:
        return lookup_key(validate_username(username))
    except Invalid:
        return ""


def _email_key(email: str) -> str:
    """Return the lookup key of an email, as at login; an empty text if no account can have this email."""
    # Normalization takes quadratic time, and a request can have a thousand emails.
    return lookup_key(email) if len(email) <= MAX_EMAIL_CHARACTERS else ""
