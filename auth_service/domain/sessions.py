"""A session: one login, and every token that comes of it."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from auth_service.domain.errors import InvalidRefreshToken
from chassis.kernel import MissingField

SECRET_BYTES = 32

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """One login. Its tokens carry its id as `sid`; nothing of it outlives expires_at."""

    id: UUID
    user_id: UUID
    created_at: datetime
    expires_at: datetime
    used_at: datetime
    ended_at: datetime | None = None

    def runs(self, now: datetime) -> bool:
        """Whether it has neither been ended nor come to its end."""
        return self.ended_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """How long sessions last: at the most, and without being used."""

    lifetime: timedelta
    idle: timedelta

    def open(self, user_id: UUID, *, session_id: UUID, now: datetime) -> Session:
        """A new session."""
        return Session(session_id, user_id, now, now + self.lifetime, used_at=now)

    def refreshable_until(self, session: Session, now: datetime) -> datetime:
        """When a refresh token made now is no longer good."""
        return min(now + self.idle, session.expires_at)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a session is prolonged with, once: 256 random bits, of which only the digest is stored."""

    value: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a token; MissingField for none, InvalidRefreshToken for what was never one of ours."""
        if not text:
            raise MissingField(field="refresh_token")
        if not _TOKEN.fullmatch(text):
            raise InvalidRefreshToken
        return cls(text)

    @classmethod
    def generate(cls, *, randomness: bytes) -> Self:
        """A new token out of 32 random bytes."""
        return cls(base64.urlsafe_b64encode(randomness).rstrip(b"=").decode())

    @property
    def digest(self) -> bytes:
        """What is stored and looked up. One fast hash is enough: nobody guesses 256 random bits."""
        return hashlib.sha256(self.value.encode()).digest()
