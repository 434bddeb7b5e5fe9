"""Logging in."""

from dataclasses import dataclass

from auth_service.domain.accounts import StoredLogin
from auth_service.domain.errors import InvalidCredentials, PasswordChecksBusy
from auth_service.domain.events import EventKind
from auth_service.domain.throttling import attempts_on
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, PasswordHasher, Read
from auth_service.usecases.session_keeping import LoggedIn, SessionKeeper
from auth_service.usecases.throttle import LoginThrottle
from chassis.kernel.errors import MissingField
from chassis.kernel.errors import raise_all


@dataclass(frozen=True, slots=True)
class LogIn:
    """Turns an email and a password into a session and its first tokens."""

    read: Read
    begin: Begin
    hasher: PasswordHasher
    throttle: LoginThrottle
    keeper: SessionKeeper
    events: EventLog

    async def __call__(self, email: str, password: str | None) -> LoggedIn:
        """The account and its tokens.

        Raises:
            MissingField: one of the two was not given. An empty password was: it is a wrong one.
            InvalidCredentials: they fit no account that may log in. Whether the account exists, is disabled or has
                another password shows neither in the error nor in the work done (OWASP ASVS 5.0, 6.3.8).
            TooManyAttempts: this account, or all together, have been tried too often.
            PasswordChecksBusy: too many passwords wait to be checked.

        """
        missing = {"email": not email, "password": password is None}
        raise_all([MissingField(field=field) for field, absent in missing.items() if absent])
        password = password or ""
        await self.throttle.take(email)
        async with self.read() as reading:
            found = await reading.users.login_of(email)
        try:
            fits = await self.hasher.matches(password, found.password_hash if found else None)
        except PasswordChecksBusy:
            await self.throttle.give_back(email)
            raise
        if found is None or not fits or found.user.disabled:
            await self._note_refusal(found)
            raise InvalidCredentials
        return await self._open_session(found, password)

    async def _open_session(self, found: StoredLogin, password: str) -> LoggedIn:
        outdated = self.hasher.is_outdated(found.password_hash)
        # The password is at hand only now, so this is when a hash of older parameters can be replaced.
        renewed = await self.hasher.hash(password) if outdated else found.password_hash
        async with self.begin() as work:
            # Locked, so that a change of the password ends this session too or was there first.
            known = await work.users.lock(found.user.id)
            if known is None or known.user != found.user:
                raise InvalidCredentials
            if outdated:
                await work.users.replace_password_hash(found.user.id, old=found.password_hash, new=renewed)
            # Failures before a success say nothing any more (NIST SP 800-63B-4 section 3.2.2).
            await work.attempts.clear(attempts_on(found.user.email))
            logged_in = await self.keeper.open(work, found.user)
            await self.events.record(work, EventKind.LOGGED_IN, actor=found.user.id, subject=found.user.id)
            await work.commit()
        return logged_in

    async def _note_refusal(self, found: StoredLogin | None) -> None:
        async with self.begin() as work:
            subject = found.user.id if found else None
            await self.events.record(work, EventKind.LOGIN_REFUSED, actor=None, subject=subject)
            await work.commit()
