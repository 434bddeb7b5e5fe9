"""Asking a logged-in caller for the password again, where an access token alone is not enough."""

from dataclasses import dataclass

from auth_service.domain.accounts import StoredCredentials
from auth_service.domain.errors import WrongCurrentPassword
from auth_service.domain.rate_limits import login_attempt_key
from auth_service.domain.security_events import SecurityEventKind
from auth_service.usecases.login_throttle import LoginThrottle
from auth_service.usecases.ports import Begin, PasswordHasher
from auth_service.usecases.security_events import SecurityEventRecorder
from chassis.kernel.errors import MissingField
from chassis.kernel.identity import Caller


@dataclass(frozen=True, slots=True)
class Reauthenticate:
    """Check the caller's current password. Attempts count against the same limit as logins."""

    begin: Begin
    hasher: PasswordHasher
    throttle: LoginThrottle
    events: SecurityEventRecorder

    async def __call__(self, caller: Caller, stored: StoredCredentials, password: str) -> None:
        """Return if the password is right.

        Raises:
            MissingField: the password is empty.
            WrongCurrentPassword: the password is wrong. A security event records it.
            TooManyAttempts: the attempts on this account, or on all accounts, exceed a limit.
            PasswordChecksBusy: too many passwords are being checked, of this account or of all. The attempt does not
                count.

        """
        if not password:
            raise MissingField(field=WrongCurrentPassword.field)
        email = stored.user.email
        async with self.throttle.attempt(email):
            if await self.hasher.verify(password, stored.password_hash, account=login_attempt_key(email)):
                await self.throttle.refund_shared_attempt()
                return
        async with self.begin() as work:
            await self.events.record(
                work, SecurityEventKind.REAUTHENTICATION_FAILED, actor=caller.id, subject=caller.id
            )
            await work.commit()
        raise WrongCurrentPassword
