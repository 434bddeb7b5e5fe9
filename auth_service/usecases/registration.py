"""Creating accounts of people."""

from dataclasses import dataclass

from auth_service.domain.accounts import Registration, User
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.rate_limits import REGISTRATIONS_KEY
from auth_service.domain.roles import Role
from auth_service.domain.security_events import SecurityEventKind
from auth_service.usecases.ports import Begin, PasswordHasher, Read
from auth_service.usecases.security_events import SecurityEventRecorder
from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId

FIRST_ADMIN_LOCK = "auth.first_admin"


@dataclass(frozen=True, slots=True)
class Register:
    """Create an account with the role user. Anyone may call it."""

    begin: Begin
    hasher: PasswordHasher
    rules: PasswordRules
    events: SecurityEventRecorder
    now: Clock
    new_id: NewId

    async def __call__(self, registration: Registration) -> User:
        """Return the account; raise Invalid, RoleNotGrantable, UsernameTaken, EmailTaken or PasswordChecksBusy."""
        user = registration.create_user(self.rules, user_id=self.new_id(), now=self.now())
        # Hash before the transaction: a request that waits for a free hashing thread must not hold a connection.
        password_hash = await self.hasher.hash(registration.password, account=REGISTRATIONS_KEY)
        async with self.begin() as work:
            await work.users.add(user, password_hash=password_hash)
            await self.events.record(
                work, SecurityEventKind.REGISTERED, actor=None, subject=user.id, role=user.role.value
            )
            await work.commit()
        return user


@dataclass(frozen=True, slots=True)
class CreateAdmin:
    """Create an admin account. Only operators can call it, by a command; no rpc reaches it."""

    read: Read
    begin: Begin
    hasher: PasswordHasher
    rules: PasswordRules
    events: SecurityEventRecorder
    now: Clock
    new_id: NewId

    async def __call__(self, registration: Registration, *, only_if_none: bool = False) -> User | None:
        """Return the admin; None if `only_if_none` is set and an active admin exists. Raises the errors of Register."""
        if only_if_none:
            # Before any check: the settings of an old installation may break a rule that is newer than its admin.
            async with self.read() as repositories:
                if await repositories.users.has_active(Role.ADMIN):
                    return None
        user = registration.create_user(
            self.rules, user_id=self.new_id(), now=self.now(), grantable_roles=frozenset({Role.ADMIN})
        )
        password_hash = await self.hasher.hash(registration.password, account=REGISTRATIONS_KEY)
        async with self.begin() as work:
            await work.serialize(FIRST_ADMIN_LOCK)
            if only_if_none and await work.users.has_active(Role.ADMIN):
                return None
            await work.users.add(user, password_hash=password_hash)
            await self.events.record(
                work, SecurityEventKind.REGISTERED, actor=None, subject=user.id, role=user.role.value
            )
            await work.commit()
        return user
