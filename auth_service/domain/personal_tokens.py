"""Personal access tokens: a user's script calls by one of them, within its scopes.

A token is a session without a refresh token: it is exchanged for JWTs whose `sid` is its id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from auth_service.domain.errors import UnknownScope
from auth_service.domain.personal_token_errors import (
    DuplicateScope,
    ExpiryInPast,
    ExpiryTooFar,
    InvalidPersonalToken,
    InvalidTokenName,
)
from auth_service.domain.unicode_text import is_visible
from chassis.kernel.errors import Invalid, MissingField, collect_errors, raise_all
from chassis.kernel.personal_tokens import build_personal_token, is_well_formed, personal_token_digest
from chassis.kernel.quoting import quote

MAX_NAME_CHARACTERS = 100
MAX_TOKENS_PER_USER = 50
"""Maximum number of a user's tokens that have not ended."""
DEFAULT_LIFETIME = timedelta(days=90)
MAX_LIFETIME = timedelta(days=365)
RETENTION = timedelta(days=30)
"""Time for which an ended or expired token is kept, so that its further use is recorded under its id."""
LAST_USE_INTERVAL = timedelta(minutes=1)
"""Minimum time between two writes of the time of the last use."""
MIN_LIFETIME = timedelta(seconds=2)
"""A token with less time left counts as expired: the lifetime of its JWT, in whole seconds, could be zero."""


class TokenScope(StrEnum):
    """Permissions of a personal access token. The contract's access options list the scopes that each rpc accepts."""

    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    IMPORTS_WRITE = "imports:write"
    EVENTS_READ = "events:read"
    ACCOUNT_READ = "account:read"


@dataclass(frozen=True, slots=True)
class PersonalTokenSecret:
    """The secret of a token, which its user sends."""

    value: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the secret; raise MissingField for an empty text, InvalidPersonalToken for a mistyped one."""
        if not text:
            raise MissingField(field="token")
        if not is_well_formed(text):
            raise InvalidPersonalToken
        return cls(text)

    @classmethod
    def generate(cls, *, random_bytes: bytes) -> Self:
        """Return a new secret made of 32 random bytes."""
        return cls(build_personal_token(random_bytes))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret, which is stored."""
        return personal_token_digest(self.value)


@dataclass(frozen=True, slots=True)
class PersonalToken:
    """A personal access token without its secret."""

    id: UUID
    user_id: UUID
    name: str
    scopes: frozenset[TokenScope]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    ended_at: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Return True if no JWT can be issued for the token any more, which does not outlive it."""
        return self.expires_at - now < MIN_LIFETIME

    def is_active(self, now: datetime) -> bool:
        """Return True if the token has neither ended nor expired."""
        return self.ended_at is None and now < self.expires_at

    def needs_new_last_use(self, now: datetime) -> bool:
        """Return True if the stored time of the last use is too old."""
        return self.last_used_at is None or now - self.last_used_at >= LAST_USE_INTERVAL


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Unchecked request for a token, as the client sent it. Without `expires_at` the token gets DEFAULT_LIFETIME."""

    name: str
    scopes: Sequence[str]
    expires_at: datetime | None = None

    def create_token(self, *, token_id: UUID, user_id: UUID, now: datetime) -> PersonalToken:
        """Check every field and return the token; raise Invalid, which lists every wrong field."""
        errors: list[Invalid] = []
        scopes: frozenset[TokenScope] = frozenset()
        expires_at = now + DEFAULT_LIFETIME if self.expires_at is None else self.expires_at
        with collect_errors(errors):
            validate_name(self.name)
        with collect_errors(errors):
            scopes = parse_token_scopes(self.scopes)
        with collect_errors(errors):
            validate_expiry(expires_at, now)
        raise_all(errors)
        return PersonalToken(token_id, user_id, self.name, scopes, now, expires_at)


def validate_name(name: str) -> None:
    """Raise MissingField for a blank name, InvalidTokenName for one that is too long or has invisible characters."""
    if not name.strip():
        raise MissingField(field=InvalidTokenName.field)
    if len(name) > MAX_NAME_CHARACTERS or not is_visible(name):
        raise InvalidTokenName


def parse_token_scopes(texts: Sequence[str]) -> frozenset[TokenScope]:
    """Return the scopes of these names; raise MissingField for none, UnknownScope or DuplicateScope for a wrong one."""
    scopes: set[TokenScope] = set()
    for text in texts:
        try:
            scope = TokenScope(text)
        except ValueError:
            raise UnknownScope(scope=quote(text), known_scopes=", ".join(TokenScope)) from None
        if scope in scopes:
            raise DuplicateScope(scope=scope.value)
        scopes.add(scope)
    if not scopes:
        raise MissingField(field=UnknownScope.field)
    return frozenset(scopes)


def validate_expiry(expires_at: datetime, now: datetime) -> None:
    """Raise ExpiryInPast or ExpiryTooFar if the time is not within MAX_LIFETIME from now."""
    if expires_at - now < MIN_LIFETIME:
        raise ExpiryInPast
    if expires_at - now > MAX_LIFETIME:
        raise ExpiryTooFar(days=MAX_LIFETIME.days)
