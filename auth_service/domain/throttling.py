"""How often a password may be tried."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from auth_service.domain.accounts import account_key


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many attempts at once, then one each `every`: it refills by itself, so that nobody is shut out for good."""

    burst: int
    every: timedelta


OVERALL = b"overall"
"""What all attempts together are counted under."""


def refusals_of(account_id: UUID | None) -> bytes:
    """What a service's refused credentials are counted under, those of none together. No email's key is like it."""
    return b"service " + (account_id.bytes if account_id else b"")


def attempts_on(email: str) -> bytes:
    """What attempts on an account are counted under, whether there is such an account or not.

    What can't be anybody's email is counted as it stands, each by itself as other strangers are.
    """
    return hashlib.sha256((account_key(email) or email).encode()).digest()
