"""What the use cases need of the world, in their own words. Adapters stand in persistence/ and crypto/."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from auth_service.domain.accounts import StoredLogin, User
from auth_service.domain.events import SecurityEvent
from auth_service.domain.one_time import ResetCode
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.domain.throttling import Allowance
from auth_service.usecases.token_ports import Revocations, Sessions, SigningKeys
from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest
from task_service.access import Role


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

    async def login(self, user_id: UUID) -> StoredLogin | None:
        """The account of this id, with its hash."""

    async def lock(self, user_id: UUID) -> StoredLogin | None:
        """The account and its hash, kept from changing until the work is over."""

    async def change_password(self, user: User, *, password_hash: str) -> None:
        """Keeps the hash of a new password, and the epoch that the account has now."""

    async def has_role(self, role: Role, *, but: UUID | None = None) -> bool:
        """Whether anyone who may log in has this role, one perhaps aside."""

    async def page(self, text: str, request: PageRequest) -> Page[User]:
        """Accounts whose username or email holds the text, newest first."""

    async def look_up(self, text: str, *, most: int) -> Sequence[User]:
        """Accounts in use whose username begins with the text, the one of exactly this name first."""

    async def names_of(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """The usernames of those accounts that there are."""

    async def ids_of(self, username_keys: Collection[str]) -> Mapping[str, UUID]:
        """The accounts in use of these names, each name as `account_key` has it."""

    async def update(self, user: User) -> None:
        """Keeps the account as it is now; UsernameTaken or EmailTaken when another has one of its names."""

    async def delete(self, user_id: UUID, *, epoch: int, now: datetime) -> None:
        """Drops all that tells who somebody was. The id stays taken."""

    async def replace_password_hash(self, user_id: UUID, *, old: str, new: str) -> None:
        """Keeps a new hash of the same password, unless the password was changed meanwhile."""


class LoginAttempts(Protocol):
    """How often passwords were tried, by what they were tried on."""

    async def take(self, key: bytes, allowance: Allowance) -> timedelta | None:
        """Counts an attempt; not beyond the allowance: then the time until there is one again."""

    async def give_back(self, key: bytes, allowance: Allowance) -> None:
        """Takes back an attempt."""

    async def note(self, key: bytes, *, every: timedelta) -> bool:
        """Whether it is time again to say that attempts are refused."""

    async def clear(self, key: bytes) -> None:
        """Forgets the attempts on an account whose owner has come."""

    async def forget(self, *, before: datetime) -> int:
        """Drops what means nothing any more; how many."""


class PasswordResets(Protocol):
    """Codes that set a new password once, at most one an account."""

    async def put(self, user_id: UUID, code: ResetCode, *, expires_at: datetime) -> None:
        """Keeps a code in the place of an older one."""

    async def owner(self, code: ResetCode, *, now: datetime) -> UUID | None:
        """Whose password a good code sets."""

    async def spend(self, code: ResetCode, *, now: datetime) -> bool:
        """Spends a code; whether it was good. Of two at once, one is told that."""

    async def drop(self, user_id: UUID) -> None:
        """Drops an account's code."""

    async def forget(self, *, before: datetime) -> int:
        """Drops codes that expired before then; how many."""


class ServiceAccounts(Protocol):
    """Accounts of services."""

    async def add(self, account: ServiceAccount) -> None:
        """Keeps a new account; ServiceNameTaken when there is one of this name."""

    async def get(self, name: str) -> ServiceAccount | None:
        """The account of this name."""

    async def lock(self, account_id: UUID) -> ServiceAccount | None:
        """The account of this id, kept from changing until the work is over."""

    async def page(self, request: PageRequest) -> Page[ServiceAccount]:
        """Accounts, newest first."""

    async def update(self, account: ServiceAccount) -> None:
        """Keeps the account as it is now."""


class SecurityEvents(Protocol):
    """The log of what happened to accounts and keys. Nothing in it is ever changed, and nothing recent ever goes."""

    async def add(self, event: SecurityEvent) -> None:
        """Appends."""

    async def page(self, subject_id: UUID | None, request: PageRequest) -> Page[SecurityEvent]:
        """Events, of one account or all, newest first."""

    async def forget(self, *, before: datetime, most: int) -> int:
        """Drops up to `most` events from before then, the oldest first, none younger than KEPT_AT_LEAST; how many."""


class Reading(Protocol):
    """A connection to read with, inside `async with`."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def users(self) -> Users: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def services(self) -> ServiceAccounts: ...
    @property
    def resets(self) -> PasswordResets: ...
    @property
    def keys(self) -> SigningKeys: ...
    @property
    def revocations(self) -> Revocations: ...
    @property
    def events(self) -> SecurityEvents: ...


class UnitOfWork(Reading, Protocol):
    """One transaction, inside `async with`. Leaving without commit undoes it."""

    @property
    def attempts(self) -> LoginAttempts: ...

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


Randomness = Callable[[int], bytes]
"""So many unpredictable bytes."""
