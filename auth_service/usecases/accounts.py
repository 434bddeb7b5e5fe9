"""Making accounts and reading one's own."""

from dataclasses import dataclass
from uuid import UUID

from auth_service.domain.accounts import Registration, User, accept_username
from auth_service.domain.errors import AccountGone, ExactlyOneIdentifier, UserNotFound
from auth_service.domain.events import EventKind
from auth_service.domain.passwords import PasswordRules
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, PasswordHasher, Read
from chassis.kernel.identity import Caller
from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId
from task_service.access import Role


@dataclass(frozen=True, slots=True)
class Register:
    """Makes an account for anyone who asks, of the lowest role."""

    begin: Begin
    hasher: PasswordHasher
    rules: PasswordRules
    events: EventLog
    now: Clock
    new_id: NewId

    async def __call__(self, registration: Registration) -> User:
        """The account; Invalid, RoleNotGrantable, UsernameTaken, EmailTaken or PasswordChecksBusy."""
        user = registration.accept(self.rules, user_id=self.new_id(), now=self.now())
        # Hashed before the transaction: nothing holds a connection while it waits for its turn.
        password_hash = await self.hasher.hash(registration.password)
        async with self.begin() as work:
            await work.users.add(user, password_hash=password_hash)
            await self.events.record(work, EventKind.REGISTERED, actor=None, subject=user.id, role=user.role.value)
            await work.commit()
        return user


@dataclass(frozen=True, slots=True)
class CreateAdmin:
    """Makes an admin. For who runs the system: no call leads here."""

    begin: Begin
    hasher: PasswordHasher
    rules: PasswordRules
    events: EventLog
    now: Clock
    new_id: NewId

    async def __call__(self, registration: Registration, *, only_first: bool = False) -> User | None:
        """The admin; None with only_first where there is one already. Errors as Register's."""
        user = registration.accept(self.rules, user_id=self.new_id(), now=self.now(), grantable=frozenset({Role.ADMIN}))
        password_hash = await self.hasher.hash(registration.password)
        async with self.begin() as work:
            await work.alone("auth.first_admin")
            if only_first and await work.users.has_role(Role.ADMIN):
                return None
            await work.users.add(user, password_hash=password_hash)
            await self.events.record(work, EventKind.REGISTERED, actor=None, subject=user.id, role=user.role.value)
            await work.commit()
        return user


@dataclass(frozen=True, slots=True)
class ResolveUser:
    """Reads an account for another service."""

    read: Read

    async def __call__(self, *, user_id: UUID | None, username: str) -> User:
        """The account; UserNotFound when there is none or it is disabled, ExactlyOneIdentifier, InvalidUsername."""
        if (user_id is None) == (not username):
            raise ExactlyOneIdentifier
        async with self.read() as reading:
            if user_id is None:
                user = await reading.users.named(accept_username(username))
            else:
                user = await reading.users.get(user_id)
        if user is None or user.disabled:
            raise UserNotFound
        return user


@dataclass(frozen=True, slots=True)
class GetCurrentUser:
    """Reads the caller's own account."""

    read: Read

    async def __call__(self, caller: Caller) -> User:
        """The account; AccountGone when it was deleted or disabled since the token was signed."""
        async with self.read() as reading:
            user = await reading.users.get(caller.id)
        if user is None or user.disabled:
            raise AccountGone
        return user
