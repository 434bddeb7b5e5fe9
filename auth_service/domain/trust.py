"""Trust state: the public keys that verify access tokens, and the tokens that were revoked before they expired."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from auth_service.domain.errors import InvalidCursor
from auth_service.domain.signing_keys import SigningKey

_CURSOR = re.compile(r"([1-9][0-9]{0,19})(?:\.([1-9][0-9]{0,19})\.([1-9][0-9]{0,18}))?", re.ASCII)
_MAX_TRANSACTION_ID = 2**64 - 1  # Postgres type xid8
_MAX_REVOCATION_ID = 2**63 - 1  # Postgres type bigint


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """Revocation of every access token of one session."""

    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EpochRaised:
    """Revocation of every access token of one account whose epoch is below `min_epoch`."""

    user_id: UUID
    min_epoch: int
    expires_at: datetime


Revocation = SessionRevoked | EpochRaised


@dataclass(frozen=True, slots=True)
class RevocationPosition:
    """Position in the list of revocations, which is in the order of transaction ids, then of revocation ids."""

    transaction_id: int
    revocation_id: int


@dataclass(frozen=True, slots=True)
class RevocationPage:
    """Revocations of one page. `last` is the position of the last one if more follow, otherwise None."""

    revocations: Sequence[Revocation]
    last: RevocationPosition | None


@dataclass(frozen=True, slots=True)
class TrustCursor:
    """Position in the order of commits: every transaction below `horizon` had ended when the read began.

    Zero is the beginning. A cursor between the pages of a read also has the position of the page's last revocation, and
    keeps the horizon of the first page. A transaction that commits during the read may be behind that position, but it
    is not below the horizon, so the next read returns its revocations. A verifier therefore never misses a commit. It
    may receive a revocation in two reads whose transaction was in progress when the first read began; that is harmless.
    """

    horizon: int = 0
    page_end: RevocationPosition | None = None

    @property
    def position(self) -> RevocationPosition:
        """Position after which the next page begins. Ids of revocations begin at 1."""
        return self.page_end or RevocationPosition(self.horizon, 0)

    def next(self, *, horizon: int, page_end: RevocationPosition | None) -> "TrustCursor":
        """Return the cursor after a page. `horizon` is the one read before the page."""
        return TrustCursor(horizon if self.page_end is None else self.horizon, page_end)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that a verifier sent, the beginning for an empty text; raise InvalidCursor otherwise."""
        if not text:
            return cls()
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise InvalidCursor
        horizon, *page_end = (int(number) for number in match.groups() if number)
        position = RevocationPosition(*page_end) if page_end else None
        if horizon > _MAX_TRANSACTION_ID or (
            position and (position.transaction_id > _MAX_TRANSACTION_ID or position.revocation_id > _MAX_REVOCATION_ID)
        ):
            raise InvalidCursor
        return cls(horizon, position)

    def __str__(self) -> str:
        if self.page_end is None:
            return str(self.horizon)
        return f"{self.horizon}.{self.page_end.transaction_id}.{self.page_end.revocation_id}"


@dataclass(frozen=True, slots=True)
class TrustState:
    """Valid keys, a page of the revocations since a cursor, and the cursor for the next request."""

    keys: Sequence[SigningKey]
    revocations: Sequence[Revocation]
    cursor: TrustCursor

    @property
    def has_more(self) -> bool:
        """True if more revocations follow."""
        return self.cursor.page_end is not None
