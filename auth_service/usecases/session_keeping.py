"""What opening, prolonging and ending sessions have in common."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from auth_service.domain.accounts import User
from auth_service.domain.one_time import SECRET_BYTES, RefreshToken
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.domain.sessions import Session, SessionTerms
from auth_service.domain.tokens import AccessToken
from auth_service.domain.trust import EpochRaised, SessionRevoked
from auth_service.usecases.ports import Randomness, UnitOfWork
from auth_service.usecases.tokens import TokenIssuer
from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """An account and the tokens that speak for it."""

    user: User
    token: AccessToken
    refresh_token: RefreshToken = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionKeeper:
    """Opens, prolongs and ends sessions inside somebody's unit of work.

    `remembered_for` is how long a revocation is told: longer than any token that it can match may live.
    """

    tokens: TokenIssuer
    terms: SessionTerms
    remembered_for: timedelta
    now: Clock
    new_id: NewId
    randomness: Randomness

    async def open(self, work: UnitOfWork, user: User) -> LoggedIn:
        """A new session's first tokens."""
        session = self.terms.open(user.id, session_id=self.new_id(), now=self.now())
        await work.sessions.add(session)
        return await self._give(work, user, session)

    async def prolong(self, work: UnitOfWork, user: User, session: Session) -> LoggedIn:
        """A running session's next tokens."""
        await work.sessions.use(session.id, now=self.now())
        return await self._give(work, user, session)

    async def end(self, work: UnitOfWork, session_id: UUID) -> None:
        """Ends a session, its access tokens included."""
        now = self.now()
        await work.sessions.end(session_id, now=now)
        await work.revocations.add(SessionRevoked(session_id, expires_at=now + self.remembered_for))

    async def raise_epoch(self, work: UnitOfWork, account: User | ServiceAccount) -> None:
        """Ends every access token of an older epoch than the account's; what refreshes goes on."""
        until = self.now() + self.remembered_for
        await work.revocations.add(EpochRaised(account.id, account.epoch, expires_at=until))

    async def _give(self, work: UnitOfWork, user: User, session: Session) -> LoggedIn:
        refresh_token = RefreshToken.generate(randomness=self.randomness(SECRET_BYTES))
        until = self.terms.refreshable_until(session, self.now())
        await work.sessions.add_token(refresh_token, session.id, expires_at=until)
        return LoggedIn(user, await self.tokens.for_user(work.keys, user, session), refresh_token)
