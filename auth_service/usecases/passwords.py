"""Changing a password."""

from dataclasses import dataclass, replace

from auth_service.domain.errors import AccountGone, WrongCurrentPassword
from auth_service.domain.events import EventKind
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.throttling import attempts_on
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, PasswordHasher, Read
from auth_service.usecases.session_keeping import LoggedIn, SessionKeeper
from auth_service.usecases.throttle import LoginThrottle
from chassis.kernel import Caller, Clock, MissingField, refuse


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Replaces the caller's password and ends all their other sessions."""

    read: Read
    begin: Begin
    hasher: PasswordHasher
    rules: PasswordRules
    throttle: LoginThrottle
    keeper: SessionKeeper
    events: EventLog
    now: Clock

    async def __call__(self, caller: Caller, current: str, new: str) -> LoggedIn:
        """New tokens for the session that asked: its old ones end with the old password.

        Raises:
            MissingField: one of the two is empty.
            InvalidPassword: the new one is not acceptable.
            WrongCurrentPassword: the current one is another.
            TooManyAttempts: the account's password has been tried too often, here or at logins.
            PasswordChecksBusy: too many passwords wait to be checked.
            AccountGone: the account or the session ended meanwhile.

        """
        given = {"current_password": current, "new_password": new}
        refuse([MissingField(field=field) for field, value in given.items() if not value])
        async with self.read() as reading:
            login = await reading.users.login(caller.id)
        if login is None or login.user.disabled:
            raise AccountGone
        self.rules.check(new, username=login.user.username, email=login.user.email, field="new_password")
        await self.throttle.take(login.user.email)
        if not await self.hasher.matches(current, login.password_hash):
            await self._note_refusal(caller)
            raise WrongCurrentPassword
        password_hash = await self.hasher.hash(new)
        now = self.now()
        async with self.begin() as work:
            known = await work.users.lock(caller.id)
            session = await work.sessions.lock(caller.session_id) if caller.session_id else None
            # Whoever changed the account in between, with the old password or as an admin, was first.
            if known is None or known.user != login.user or session is None or not session.runs(now):
                raise AccountGone
            user = replace(known.user, epoch=known.user.epoch + 1)
            await work.users.change_password(user, password_hash=password_hash)
            await self.keeper.raise_epoch(work, user)
            await work.sessions.end_all(user.id, but=session.id, now=now)
            await work.sessions.spend_all(session.id, now=now)
            logged_in = await self.keeper.prolong(work, user, session)
            await work.attempts.clear(attempts_on(user.email))
            await self.events.record(work, EventKind.PASSWORD_CHANGED, actor=user.id, subject=user.id)
            await work.commit()
        return logged_in

    async def _note_refusal(self, caller: Caller) -> None:
        async with self.begin() as work:
            await self.events.record(work, EventKind.PASSWORD_REFUSED, actor=caller.id, subject=caller.id)
            await work.commit()
