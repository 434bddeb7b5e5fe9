"""How often a password may be tried."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from auth_service.domain.accounts import account_key


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many attempts at once, then one each `every`: it refills by itself, so that nobody is shut out for good."""

    burst: int
    every: timedelta


OVERALL = b"overall"
"""What all attempts together are counted under."""


def attempts_on(email: str) -> bytes:
    """What attempts on an account are counted under, whether there is such an account or not."""
    return hashlib.sha256(account_key(email).encode()).digest()
