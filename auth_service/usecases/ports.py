"""Ports of the use cases: transactions, password hashing, signing and randomness."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from auth_service.domain.signing_keys import SigningKey
from auth_service.usecases.repositories import (
    AttemptCounters,
    PasswordResets,
    PersonalTokens,
    Revocations,
    SecurityEvents,
    ServiceAccounts,
    Sessions,
    SigningKeys,
    Users,
)
from chassis.kernel.sessions import ReadSession, UnitOfWork


class AuthReadSession(ReadSession, Protocol):
    """Repositories for reads."""

    @property
    def users(self) -> Users: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def personal_tokens(self) -> PersonalTokens: ...
    @property
    def service_accounts(self) -> ServiceAccounts: ...
    @property
    def password_resets(self) -> PasswordResets: ...
    @property
    def signing_keys(self) -> SigningKeys: ...
    @property
    def revocations(self) -> Revocations: ...
    @property
    def security_events(self) -> SecurityEvents: ...


class AuthUnitOfWork(AuthReadSession, UnitOfWork, Protocol):
    """Repositories in one transaction."""

    @property
    def attempt_counters(self) -> AttemptCounters: ...

    async def serialize(self, lock_name: str) -> None:
        """Take the lock of this name, and hold it until the transaction ends. Waits for other transactions."""


Read = Callable[[], AuthReadSession]
Begin = Callable[[], AuthUnitOfWork]


class PasswordHasher(Protocol):
    """Slow password hashing. Every method but needs_rehash raises PasswordChecksBusy if too many callers wait.

    `account` is the key of the account that the work is for. One account gets only a part of the capacity.
    """

    async def hash(self, password: str, *, account: bytes) -> str:
        """Return the hash to store. It includes the salt and the parameters."""

    async def verify(self, password: str, password_hash: str | None, *, account: bytes) -> bool:
        """Return True if the hash is of this password.

        None stands for an account that does not exist. It costs the same time and returns False.
        """

    def needs_rehash(self, password_hash: str) -> bool:
        """Return True if the hash was made with other parameters than the settings ask for."""


class Signer(Protocol):
    """Generator of signing keys, and signer with them. A private key leaves it only in encrypted form."""

    def generate(self, now: datetime) -> SigningKey:
        """Return a new key that is active from now on."""

    def ensure_decryptable(self, key: SigningKey) -> None:
        """Raise WrongEncryptionKey if this process cannot decrypt the private key."""

    def sign(self, key: SigningKey, claims: Mapping[str, Any], *, is_personal: bool = False) -> str:
        """Return the claims as a signed JWT in its compact form. `is_personal`: it is for a personal access token."""


Randomness = Callable[[int], bytes]
"""Function that returns this many unpredictable bytes."""
