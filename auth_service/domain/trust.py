"""Trust state: the public keys that verify access tokens, and the tokens that were revoked before they expired."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from auth_service.domain.errors import InvalidCursor
from auth_service.domain.signing_keys import SigningKey

_NUMBER = re.compile(r"[1-9][0-9]{0,19}")
_MAX_TRANSACTION_ID = 2**64 - 1  # Postgres type xid8


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """Revocation of every access token of one session."""

    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EpochRaised:
    """Revocation of every access token of one account whose epoch is below `least_epoch`."""

    user_id: UUID
    least_epoch: int
    expires_at: datetime


Revocation = SessionRevoked | EpochRaised


@dataclass(frozen=True, slots=True, order=True)
class TrustCursor:
    """Position in the order of commits: every transaction below this id had ended when the cursor was issued.

    Zero is the beginning. A verifier never misses a commit after its cursor. It may receive a revocation twice whose
    transaction was in progress when the cursor was issued; that is harmless.
    """

    transaction_id: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that a verifier sent, the beginning for an empty text; raise InvalidCursor otherwise."""
        if not text:
            return cls()
        if not _NUMBER.fullmatch(text) or int(text) > _MAX_TRANSACTION_ID:
            raise InvalidCursor
        return cls(int(text))

    def __str__(self) -> str:
        return str(self.transaction_id)


@dataclass(frozen=True, slots=True)
class TrustState:
    """Valid keys, revocations since a cursor, and the cursor for the next request."""

    keys: Sequence[SigningKey]
    revocations: Sequence[Revocation]
    cursor: TrustCursor
