"""Rate limits on password attempts, and the keys under which attempts are counted."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from auth_service.domain.accounts import lookup_key


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Rate limit: `burst` attempts at once, then one each `interval`. It refills, so nobody is locked out for good."""

    burst: int
    interval: timedelta


ALL_LOGINS_KEY = b"overall"
"""Key under which the attempts on all accounts together are counted."""

REGISTRATIONS_KEY = b"registrations"
"""Key of all registrations together: they have no account yet, and share one part of the hashing threads."""


def service_rejection_key(account_id: UUID | None) -> bytes:
    """Return the key for rejected credentials of a service account. All unknown services share one key.

    It differs in length from every key of `login_attempt_key`, so the two never collide.
    """
    return b"service " + (account_id.bytes if account_id else b"")


def personal_token_rejection_key(token_id: UUID) -> bytes:
    """Return the key for rejected uses of a personal access token. No other key has its length."""
    return b"token " + token_id.bytes


def login_attempt_key(email: str) -> bytes:
    """Return the key for attempts on an account, whether or not the account exists.

    A text that cannot be an email has no lookup key. Its attempts are counted under the text itself.
    """
    return hashlib.sha256((lookup_key(email) or email).encode()).digest()
