"""Proving once more that one knows the password, where a token alone is not enough."""

from dataclasses import dataclass

from auth_service.domain.accounts import StoredLogin
from auth_service.domain.errors import PasswordChecksBusy, WrongCurrentPassword
from auth_service.domain.events import EventKind
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, PasswordHasher
from auth_service.usecases.throttle import LoginThrottle
from chassis.kernel.identity import Caller
from chassis.kernel.errors import MissingField


@dataclass(frozen=True, slots=True)
class PasswordProof:
    """Checks the caller's current password. It is no other way to guess it: attempts count as those at logins do."""

    begin: Begin
    hasher: PasswordHasher
    throttle: LoginThrottle
    events: EventLog

    async def __call__(self, caller: Caller, login: StoredLogin, password: str) -> None:
        """Returns for the right one; MissingField, WrongCurrentPassword, TooManyAttempts or PasswordChecksBusy."""
        if not password:
            raise MissingField(field=WrongCurrentPassword.field)
        await self.throttle.take(login.user.email)
        try:
            fits = await self.hasher.matches(password, login.password_hash)
        except PasswordChecksBusy:
            await self.throttle.give_back(login.user.email)
            raise
        if fits:
            return
        async with self.begin() as work:
            await self.events.record(work, EventKind.PASSWORD_REFUSED, actor=caller.id, subject=caller.id)
            await work.commit()
        raise WrongCurrentPassword
