"""A session: one login, and every token that comes of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


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
