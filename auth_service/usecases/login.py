"""Logging in."""

from dataclasses import dataclass

from auth_service.domain.accounts import StoredCredentials
from auth_service.domain.errors import InvalidCredentials
from auth_service.domain.rate_limits import login_attempt_key
from auth_service.domain.security_events import SecurityEventKind
from auth_service.usecases.login_throttle import LoginThrottle
from auth_service.usecases.ports import Begin, PasswordHasher, Read
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.session_issuer import SessionIssuer, SessionTokens
from chassis.kernel.errors import MissingField, raise_all


@dataclass(frozen=True, slots=True)
class LogIn:
    """Start a session for an email and a password."""

    read: Read
    begin: Begin
    hasher: PasswordHasher
    throttle: LoginThrottle
    session_issuer: SessionIssuer
    events: SecurityEventRecorder

    async def __call__(self, email: str, password: str | None) -> SessionTokens:
        """Return the account and the first tokens of a new session.

        Raises:
            MissingField: the email is empty or the password is None. An empty password is a wrong one.
            InvalidCredentials: the email and the password match no active account. Neither the error nor the work
                done shows whether the account exists or is disabled (OWASP ASVS 5.0, 6.3.8).
            TooManyAttempts: the attempts on this account, or on all accounts, exceed a limit.
            PasswordChecksBusy: too many passwords are being checked, of this account or of all. The attempt does not
                count.

        """
        missing = {"email": not email, "password": password is None}
        raise_all([MissingField(field=field) for field, is_missing in missing.items() if is_missing])
        async with self.throttle.attempt(email):
            return await self._log_in(email, password or "")

    async def _log_in(self, email: str, password: str) -> SessionTokens:
        async with self.read() as repositories:
            stored = await repositories.users.get_credentials_by_email(email)
        password_hash = stored.password_hash if stored else None
        is_correct = await self.hasher.verify(password, password_hash, account=login_attempt_key(email))
        if stored is None or not is_correct or stored.user.disabled:
            await self._record_rejection(stored)
            raise InvalidCredentials
        return await self._start_session(stored, password)

    async def _start_session(self, stored: StoredCredentials, password: str) -> SessionTokens:
        needs_rehash = self.hasher.needs_rehash(stored.password_hash)
        new_hash = stored.password_hash
        if needs_rehash:
            # A hash with outdated parameters is replaced now, because only a login has the password.
            new_hash = await self.hasher.hash(password, account=login_attempt_key(stored.user.email))
        async with self.begin() as work:
            # The lock orders a login and a concurrent change of the password: either the change ends this session, or
            # it came first and the comparison below fails.
            current = await work.users.lock(stored.user.id)
            if current is None or current.user != stored.user:
                raise InvalidCredentials
            if needs_rehash:
                await work.users.rehash_password(stored.user.id, old_hash=stored.password_hash, new_hash=new_hash)
            tokens = await self.session_issuer.start(work, stored.user)
            await self.events.record(work, SecurityEventKind.LOGGED_IN, actor=stored.user.id, subject=stored.user.id)
            await self.throttle.reset(work, stored.user.email)
            await work.commit()
        return tokens

    async def _record_rejection(self, stored: StoredCredentials | None) -> None:
        async with self.begin() as work:
            subject = stored.user.id if stored else None
            await self.events.record(work, SecurityEventKind.LOGIN_FAILED, actor=None, subject=subject)
            await work.commit()
