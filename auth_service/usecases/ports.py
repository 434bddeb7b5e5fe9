"""What the use cases need of the world, in their own words. Adapters stand in persistence/ and crypto/."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import UUID

from auth_service.domain.accounts import StoredLogin, User
from auth_service.domain.keys import SigningKey
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.domain.sessions import Session
from auth_service.domain.trust import Revocation, TrustCursor
from chassis.kernel import Role


class Users(Protocol):
    """Accounts of people."""

    async def add(self, user: User, *, password_hash: str) -> None:
        """Keeps a new account; UsernameTaken or EmailTaken when another has one of its names."""

    async def get(self, user_id: UUID) -> User | None:
        """The account of this id."""

    async def named(self, username: str) -> User | None:
        """The account of this username, however it is spelt."""

    async def login_of(self, email: str) -> StoredLogin | None:
        """The account that logs in with this email, however it is spelt."""

    async def has_role(self, role: Role) -> bool:
        """Whether anyone has this role."""

    async def replace_password_hash(self, user_id: UUID, *, old: str, new: str) -> None:
        """Keeps a new hash of the same password, unless the password was changed meanwhile."""


class Sessions(Protocol):
    """Logins."""

    async def add(self, session: Session) -> None:
        """Keeps a new session; AccountGone when its user no longer exists."""


class ServiceAccounts(Protocol):
    """Accounts of services."""

    async def add(self, account: ServiceAccount) -> None:
        """Keeps a new account; ServiceNameTaken when there is one of this name."""

    async def get(self, name: str) -> ServiceAccount | None:
        """The account of this name."""

    async def update(self, account: ServiceAccount) -> None:
        """Keeps the account's new scopes and secret."""


class SigningKeys(Protocol):
    """Key pairs that tokens are signed with."""

    async def all(self) -> Sequence[SigningKey]:
        """Every key, newest first."""

    async def add(self, key: SigningKey) -> None:
        """Keeps a new key."""


class Revocations(Protocol):
    """Tokens that ended before their time, in the order of commits."""

    async def horizon(self) -> TrustCursor:
        """The cursor that everything committed from now on lies behind."""

    async def since(self, cursor: TrustCursor, *, now: datetime) -> Sequence[Revocation]:
        """What was committed behind the cursor and still matters, oldest first."""


class Reading(Protocol):
    """A connection to read with, inside `async with`."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def users(self) -> Users: ...
    @property
    def services(self) -> ServiceAccounts: ...
    @property
    def keys(self) -> SigningKeys: ...
    @property
    def revocations(self) -> Revocations: ...


class UnitOfWork(Reading, Protocol):
    """One transaction, inside `async with`. Leaving without commit undoes it."""

    @property
    def sessions(self) -> Sessions: ...

    async def alone(self, purpose: str) -> None:
        """Waits until no other unit of work has this purpose, and keeps others out until this one is over."""

    async def commit(self) -> None:
        """Makes the work last."""


Read = Callable[[], Reading]
Begin = Callable[[], UnitOfWork]


class PasswordHasher(Protocol):
    """Hashes passwords slowly. PasswordChecksBusy when too many wait."""

    async def hash(self, password: str) -> str:
        """The hash to store, with its parameters and salt in it."""

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether the password is the one hashed. None, where there is no account, costs the same and is False."""

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash would be made with other parameters today."""


class Signer(Protocol):
    """Makes signing keys and signs with them. Their private halves never leave it unencrypted."""

    def generate(self, now: datetime) -> SigningKey:
        """A new key that signs from now on."""

    def check(self, key: SigningKey) -> None:
        """Returns for a key that this process can sign with; WrongEncryptionKey for another."""

    def sign(self, key: SigningKey, claims: Mapping[str, Any]) -> str:
        """The claims as a signed JWT in its compact form."""


Randomness = Callable[[int], bytes]
"""So many unpredictable bytes."""
