"""Security events: changes to accounts, sessions and keys that are logged for later audits (OWASP ASVS 5.0, 16.3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

MIN_RETENTION = timedelta(days=90)
"""Minimum age of a security event before it is deleted.

No setting shortens it. An attacker in control of the service cannot shorten it either: the database enforces it.
"""


class SecurityEventKind(StrEnum):
    """Kinds of security events, as they are stored and as clients read them."""

    REGISTERED = "registered"
    LOGGED_IN = "logged_in"
    LOGIN_FAILED = "login_failed"
    LOGIN_THROTTLED = "login_throttled"
    LOGGED_OUT = "logged_out"
    SESSION_REVOKED = "session_revoked"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 - a name
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    REAUTHENTICATION_FAILED = "reauthentication_failed"
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
    SERVICE_CREDENTIAL_REJECTED = "service_credential_rejected"
    PERSONAL_TOKEN_CREATED = "personal_token_created"  # noqa: S105 - a name
    PERSONAL_TOKEN_REVOKED = "personal_token_revoked"  # noqa: S105 - a name
    PERSONAL_TOKEN_REJECTED = "personal_token_rejected"  # noqa: S105 - a name
    KEY_ROTATED = "key_rotated"
    KEY_REPLACED = "key_replaced"


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """Entry of the security log.

    `actor_id` is the account that acted, `subject_id` the account that was acted on; None if unknown. Details hold
    fixed words and ids, never client input: people type passwords into the wrong field, and a terminal executes
    control characters in text that it prints.
    """

    id: UUID
    occurred_at: datetime
    kind: str  # a SecurityEventKind, or one that a newer version wrote
    actor_id: UUID | None
    subject_id: UUID | None
    request_id: str
    details: Mapping[str, str] = field(default_factory=dict)
