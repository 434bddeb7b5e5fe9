"""Logging in."""

from dataclasses import dataclass

from auth_service.domain.accounts import StoredLogin, User
from auth_service.domain.errors import InvalidCredentials
from auth_service.domain.sessions import Session
from auth_service.domain.tokens import AccessToken
from auth_service.usecases.ports import Begin, PasswordHasher, Read
from auth_service.usecases.tokens import TokenIssuer
from chassis.kernel import Clock, MissingField, NewId, refuse


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The account and the token that speaks for it."""

    user: User
    token: AccessToken


@dataclass(frozen=True, slots=True)
class LogIn:
    """Turns an email and a password into a session and its first token."""

    read: Read
    begin: Begin
    hasher: PasswordHasher
    tokens: TokenIssuer
    now: Clock
    new_id: NewId

    async def __call__(self, email: str, password: str) -> LoggedIn:
        """The account and its token.

        Raises:
            MissingField: one of the two is empty.
            InvalidCredentials: they fit no account that may log in. Whether the account exists, is disabled or has
                another password shows neither in the error nor in the work done (OWASP ASVS 5.0, 6.3.8).
            PasswordChecksBusy: too many passwords wait to be checked.

        """
        given = {"email": email, "password": password}
        refuse([MissingField(field=field) for field, value in given.items() if not value])
        async with self.read() as reading:
            found = await reading.users.login_of(email)
        fits = await self.hasher.matches(password, found.password_hash if found else None)
        if found is None or not fits or found.user.disabled:
            raise InvalidCredentials
        return await self._open_session(found, password)

    async def _open_session(self, found: StoredLogin, password: str) -> LoggedIn:
        outdated = self.hasher.is_outdated(found.password_hash)
        # The password is at hand only now, so this is when a hash of older parameters can be replaced.
        renewed = await self.hasher.hash(password) if outdated else found.password_hash
        now = self.now()
        session = Session(
            id=self.new_id(),
            user_id=found.user.id,
            created_at=now,
            expires_at=now + self.tokens.terms.lifetime,  # it can't be prolonged yet, so it lives as long as its token
        )
        async with self.begin() as work:
            if outdated:
                await work.users.replace_password_hash(found.user.id, old=found.password_hash, new=renewed)
            await work.sessions.add(session)
            # The epoch is the one read with the hash: a change since then has raised it and so ended this token.
            token = await self.tokens.for_user(work.keys, found.user, session)
            await work.commit()
        return LoggedIn(user=found.user, token=token)
