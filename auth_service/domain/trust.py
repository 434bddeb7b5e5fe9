"""What verifiers are told: the keys to believe and the tokens to believe no longer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from auth_service.domain.errors import InvalidCursor
from auth_service.domain.keys import SigningKey

_NUMBER = re.compile(r"[1-9][0-9]{0,19}")
_LAST = 2**64 - 1  # the type xid8


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """Every token of one session has ended."""

    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EpochRaised:
    """Every token of one user has ended that carries an epoch below least_epoch."""

    user_id: UUID
    least_epoch: int
    expires_at: datetime


Revocation = SessionRevoked | EpochRaised


@dataclass(frozen=True, slots=True, order=True)
class TrustCursor:
    """A point in the order of commits: every transaction before this number had ended when it was handed out.

    Zero is before everything. Nothing committed behind a cursor is ever missed; what was in progress around it may be
    told twice, which does no harm.
    """

    transaction: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a cursor as verifiers send it back, empty for the beginning; InvalidCursor for any other text."""
        if not text:
            return cls()
        if not _NUMBER.fullmatch(text) or int(text) > _LAST:
            raise InvalidCursor
        return cls(int(text))

    def __str__(self) -> str:
        return str(self.transaction)


@dataclass(frozen=True, slots=True)
class TrustState:
    """One answer to a verifier."""

    keys: Sequence[SigningKey]
    revocations: Sequence[Revocation]
    cursor: TrustCursor
