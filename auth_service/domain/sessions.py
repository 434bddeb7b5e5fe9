"""Sessions: a session is one login and every token that is issued for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Session:
    """One login. Its access tokens carry its id as `sid`, and none of its tokens outlives `expires_at`."""

    id: UUID
    user_id: UUID
    created_at: datetime
    expires_at: datetime
    used_at: datetime
    ended_at: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        """Return True if the session has neither ended nor expired."""
        return self.ended_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """Lifetimes of sessions: the absolute maximum, and the maximum without a refresh."""

    lifetime: timedelta
    idle_timeout: timedelta

    def new_session(self, user_id: UUID, *, session_id: UUID, now: datetime) -> Session:
        return Session(session_id, user_id, now, now + self.lifetime, used_at=now)

    def refresh_token_expiry(self, session: Session, now: datetime) -> datetime:
        """Return the time at which a refresh token issued now expires."""
        return min(now + self.idle_timeout, session.expires_at)
