"""What the use cases of sessions, tokens and keys need of the outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from auth_service.domain.keys import SigningKey
from auth_service.domain.one_time import RefreshToken
from auth_service.domain.sessions import Session
from auth_service.domain.trust import Revocation, TrustCursor
from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest


class Sessions(Protocol):
    """Logins, and the refresh tokens that prolong them."""

    async def add(self, session: Session) -> None:
        """Keeps a new session; AccountGone when its user no longer exists."""

    async def lock(self, session_id: UUID) -> Session | None:
        """The session of this id, kept from changing until the work is over."""

    async def page(self, user_id: UUID, request: PageRequest, *, now: datetime) -> Page[Session]:
        """A user's sessions that run, newest first."""

    async def use(self, session_id: UUID, *, now: datetime) -> None:
        """Notes that the session got new tokens."""

    async def end(self, session_id: UUID, *, now: datetime) -> None:
        """Ends a session."""

    async def end_all(self, user_id: UUID, *, but: UUID | None = None, now: datetime) -> None:
        """Ends a user's sessions, except perhaps one."""

    async def forget(self, *, before: datetime) -> int:
        """Drops sessions that came to their end before then, with their tokens; how many."""

    async def add_token(self, token: RefreshToken, session_id: UUID, *, expires_at: datetime) -> None:
        """Keeps a session's new refresh token."""

    async def session_of(self, token: RefreshToken) -> UUID | None:
        """The session that a refresh token was made for, spent or not."""

    async def spend(self, token: RefreshToken, *, now: datetime) -> datetime | None:
        """Spends a token; when it expires. None when it was spent before: of two at once, one gets that."""

    async def spend_all(self, session_id: UUID, *, now: datetime) -> None:
        """Spends whatever tokens a session has left."""


class SigningKeys(Protocol):
    """Key pairs that tokens are signed with."""

    async def all(self) -> Sequence[SigningKey]:
        """Every key, newest first."""

    async def add(self, key: SigningKey) -> None:
        """Keeps a new key."""

    async def retire(self, kid: str, *, retires_at: datetime) -> None:
        """Says when a key is no longer believed."""


class Revocations(Protocol):
    """Tokens that ended before their time, in the order of commits."""

    async def horizon(self) -> TrustCursor:
        """The cursor that everything committed from now on lies behind."""

    async def add(self, revocation: Revocation) -> None:
        """Ends tokens, from the moment that the work is committed."""

    async def forget(self, *, before: datetime) -> int:
        """Drops revocations that matched no token any more by then; how many."""

    async def since(self, cursor: TrustCursor, *, now: datetime) -> Sequence[Revocation]:
        """What was committed behind the cursor and still matters, oldest first."""


class Signer(Protocol):
    """Makes signing keys and signs with them. Their private halves never leave it unencrypted."""

    def generate(self, now: datetime) -> SigningKey:
        """A new key that signs from now on."""

    def check(self, key: SigningKey) -> None:
        """Returns for a key that this process can sign with; WrongEncryptionKey for another."""

    def sign(self, key: SigningKey, claims: Mapping[str, Any]) -> str:
        """The claims as a signed JWT in its compact form."""
