"""What happened to accounts and keys, for who has to find out later (OWASP ASVS 5.0, 16.3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

KEPT_AT_LEAST = timedelta(days=90)
"""No setting shortens this, and neither may who has taken the service over: the database sees to it by itself."""


class EventKind(StrEnum):
    """What can happen."""

    REGISTERED = "registered"
    LOGGED_IN = "logged_in"
    LOGIN_REFUSED = "login_refused"
    LOGIN_THROTTLED = "login_throttled"
    LOGGED_OUT = "logged_out"
    SESSION_REVOKED = "session_revoked"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 - a name
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    PASSWORD_REFUSED = "password_refused"  # noqa: S105 - a name

    PASSWORD_RESET = "password_reset"  # noqa: S105 - a name
    RESET_CODE_ISSUED = "reset_code_issued"
    ROLE_CHANGED = "role_changed"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    ACCOUNT_CHANGED = "account_changed"
    ACCOUNT_DELETED = "account_deleted"
    SERVICE_CREATED = "service_created"
    SERVICE_ROTATED = "service_rotated"
    SERVICE_CHANGED = "service_changed"
    SERVICE_DISABLED = "service_disabled"
    SERVICE_ENABLED = "service_enabled"
    SERVICE_REFUSED = "service_refused"
    KEY_ROTATED = "key_rotated"
    KEY_REPLACED = "key_replaced"


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """One entry of the log.

    `actor_id` did it, `subject_id` it was done to; None where nobody was identified. Details are words of ours and
    ids, never what somebody typed: people type passwords into the wrong field, and terminals obey what is printed.
    """

    id: UUID
    occurred_at: datetime
    kind: str  # an EventKind, or one of a newer version
    actor_id: UUID | None
    subject_id: UUID | None
    request_id: str
    details: Mapping[str, str] = field(default_factory=dict)
