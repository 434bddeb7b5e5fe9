"""Repositories that the use cases read and write. Their implementations are in persistence/."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from auth_service.domain.accounts import StoredCredentials, User
from auth_service.domain.one_time_secrets import RefreshToken, ResetCode
from auth_service.domain.personal_tokens import PersonalToken, PersonalTokenSecret
from auth_service.domain.rate_limits import RateLimit
from auth_service.domain.roles import Role
from auth_service.domain.security_events import SecurityEvent
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.domain.sessions import Session
from auth_service.domain.signing_keys import SigningKey
from auth_service.domain.trust import EpochRaised, RevocationPage, RevocationPosition, SessionRevoked
from chassis.kernel.pagination import Page, PageRequest


class Users(Protocol):
    """Accounts of people. Deleted accounts are never returned."""

    async def add(self, user: User, *, password_hash: str) -> None:
        """Insert an account; raise UsernameTaken or EmailTaken if another account has the username or email."""

    async def get(self, user_id: UUID) -> User | None: ...

    async def get_by_username(self, username: str) -> User | None:
        """Return the account with this username. Letter case and compatibility spellings do not matter."""

    async def get_credentials(self, user_id: UUID) -> StoredCredentials | None: ...

    async def get_credentials_by_email(self, email: str) -> StoredCredentials | None:
        """Return the account with this email. Letter case and compatibility spellings do not matter."""

    async def lock(self, user_id: UUID) -> StoredCredentials | None:
        """Return the account, locked until the transaction ends."""

    async def has_active(self, role: Role, *, excluding: UUID | None = None) -> bool:
        """Return True if an account with this role is not disabled, other than `excluding`."""

    async def list_page(self, text: str, request: PageRequest) -> Page[User]:
        """Return accounts whose username or email contains the text, newest first."""

    async def find_by_prefix(self, text: str, *, limit: int) -> Sequence[User]:
        """Return active accounts whose username starts with the text, the exact match first."""

    async def get_usernames(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Return the usernames by id. Unknown ids are left out."""

    async def get_ids(self, username_keys: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of active accounts by `lookup_key` of the username. Unknown keys are left out."""

    async def get_ids_by_email(self, email_keys: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of active accounts by `lookup_key` of the email. Unknown keys are left out."""

    async def update(self, user: User) -> None:
        """Store every field but the password; raise UsernameTaken or EmailTaken if another account has it."""

    async def update_password(self, user: User, *, password_hash: str) -> None:
        """Store the hash of a new password, and the account's epoch."""

    async def rehash_password(self, user_id: UUID, *, old_hash: str, new_hash: str) -> None:
        """Replace the hash of an unchanged password. Does nothing if the stored hash is no longer `old_hash`."""

    async def delete(self, user_id: UUID, *, epoch: int, now: datetime) -> None:
        """Erase the personal data of an account and keep its id."""


class Sessions(Protocol):
    """Sessions and their refresh tokens."""

    async def add(self, session: Session) -> None:
        """Insert a session; raise AccountGone if its user no longer exists."""

    async def lock(self, session_id: UUID) -> Session | None:
        """Return the session, locked until the transaction ends."""

    async def list_page(self, user_id: UUID, request: PageRequest, *, now: datetime) -> Page[Session]:
        """Return a user's active sessions, newest first."""

    async def update_used_at(self, session_id: UUID, *, now: datetime) -> None: ...

    async def end(self, session_id: UUID, *, now: datetime) -> None: ...

    async def end_all(self, user_id: UUID, *, excluding: UUID | None = None, now: datetime) -> Sequence[Session]:
        """End a user's sessions, other than `excluding`. Return the sessions that had not ended before."""

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` sessions that ended or expired before this time, with their refresh tokens.

        Return the number.
        """

    async def add_refresh_token(self, token: RefreshToken, session_id: UUID, *, expires_at: datetime) -> None: ...

    async def find_session_id(self, token: RefreshToken) -> UUID | None:
        """Return the session of a refresh token, whether or not the token is spent."""

    async def spend_refresh_token(self, token: RefreshToken, *, now: datetime) -> datetime | None:
        """Spend a token and return its expiry; None if it was spent before. Of two concurrent calls, one succeeds."""

    async def spend_refresh_tokens(self, session_id: UUID, *, now: datetime) -> None:
        """Spend every unspent token of a session."""


class AttemptCounters(Protocol):
    """Counters of attempts with passwords and credentials, by the keys of domain.rate_limits."""

    async def hit(self, key: bytes, limit: RateLimit) -> float | None:
        """Count an attempt. Return None, or the seconds to wait if the limit is exceeded; then nothing is counted."""

    async def refund(self, key: bytes, limit: RateLimit) -> None:
        """Undo the count of one attempt."""

    async def claim_log_entry(self, key: bytes, *, interval: timedelta) -> bool:
        """Return True at most once per interval for a key: the caller then logs that attempts are rejected."""

    async def clear(self, key: bytes) -> None:
        """Delete the counter."""

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` counters that have refilled before this time. Return the number."""


class PasswordResets(Protocol):
    """Reset codes, at most one per account. A code is valid until it expires or the epoch of its issuer increases."""

    async def put(self, user_id: UUID, code: ResetCode, *, issuer: User, expires_at: datetime) -> None:
        """Store a code. It replaces an older one."""

    async def find_user_id(self, code: ResetCode, *, now: datetime) -> UUID | None:
        """Return the account of a valid code."""

    async def spend(self, code: ResetCode, *, now: datetime) -> bool:
        """Spend a code; return False if it was not valid. Of two concurrent calls, one returns True."""

    async def delete(self, user_id: UUID) -> None: ...

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` codes that expired before this time. Return the number."""


class PersonalTokens(Protocol):
    """Personal access tokens. Ended and expired ones stay until the cleanup."""

    async def add(self, token: PersonalToken, secret: PersonalTokenSecret) -> None: ...

    async def lock(self, token_id: UUID) -> PersonalToken | None:
        """Return the token, locked until the transaction ends."""

    async def lock_by_secret(self, secret: PersonalTokenSecret) -> PersonalToken | None:
        """Return the token with this secret, locked until the transaction ends. It may have ended."""

    async def count_active(self, user_id: UUID, *, now: datetime) -> int: ...

    async def list_page(self, user_id: UUID, request: PageRequest, *, now: datetime) -> Page[PersonalToken]:
        """Return a user's active tokens, newest first."""

    async def update_last_used_at(self, token_id: UUID, *, now: datetime) -> None: ...

    async def end(self, token_id: UUID, *, now: datetime) -> None: ...

    async def end_all(self, user_id: UUID, *, now: datetime) -> Sequence[UUID]:
        """End a user's active tokens. Return their ids."""

    async def delete_all(self, user_id: UUID) -> None:
        """Delete a user's tokens, ended ones included: their names are personal data."""

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` tokens that ended or expired before this time. Return the number."""


class ServiceAccounts(Protocol):
    """Accounts of services."""

    async def add(self, account: ServiceAccount) -> None:
        """Insert an account; raise ServiceNameTaken if another account has its name."""

    async def get_by_name(self, name: str) -> ServiceAccount | None: ...

    async def lock(self, account_id: UUID) -> ServiceAccount | None:
        """Return the account, locked until the transaction ends."""

    async def list_page(self, request: PageRequest) -> Page[ServiceAccount]:
        """Return accounts, newest first."""

    async def update(self, account: ServiceAccount) -> None:
        """Store the scopes, the secret's digest, the disabled flag and the epoch."""


class SigningKeys(Protocol):
    """Key pairs that sign access tokens."""

    async def list_all(self) -> Sequence[SigningKey]:
        """Return every key, newest first."""

    async def add(self, key: SigningKey) -> None: ...

    async def retire(self, kid: str, *, retires_at: datetime) -> None:
        """Set the time from which tokens of a key are no longer valid."""


class Revocations(Protocol):
    """Revocations of access tokens, in the order of transaction ids."""

    async def horizon(self) -> int:
        """Return an id below which no transaction commits from now on."""

    async def raise_epoch(self, revocation: EpochRaised) -> None:
        """Add the revocation and delete those of the same account that it includes.

        The caller must hold the lock of the account.
        """

    async def add_all(self, revocations: Iterable[SessionRevoked]) -> None: ...

    async def list_page(self, after: RevocationPosition, *, now: datetime, limit: int) -> RevocationPage:
        """Return up to `limit` unexpired revocations after a position."""

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` revocations that expired before this time. Return the number."""


class SecurityEvents(Protocol):
    """Append-only log of security events."""

    async def add(self, event: SecurityEvent) -> None: ...

    async def list_page(self, subject_id: UUID | None, request: PageRequest) -> Page[SecurityEvent]:
        """Return the events of one account, or of all, newest first."""

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Delete up to `limit` events older than `before`, oldest first, none younger than MIN_RETENTION.

        Return the number.
        """
