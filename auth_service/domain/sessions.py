"""A session: one login, and every token that comes of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Session:
    """One login. Its tokens carry its id as `sid`; nothing of it outlives expires_at."""

    id: UUID
    user_id: UUID
    created_at: datetime
    expires_at: datetime
