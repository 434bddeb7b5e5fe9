"""Starting, renewing and ending sessions inside the transaction of a use case."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from auth_service.domain.access_tokens import AccessToken
from auth_service.domain.accounts import User
from auth_service.domain.one_time_secrets import SECRET_BYTES, RefreshToken
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.domain.sessions import Session, SessionPolicy
from auth_service.domain.trust import EpochRaised, SessionRevoked
from auth_service.usecases.ports import AuthUnitOfWork, Randomness
from auth_service.usecases.token_issuer import TokenIssuer
from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """Access token and refresh token of a session, and the account they belong to."""

    user: User
    access_token: AccessToken
    refresh_token: RefreshToken = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionIssuer:
    """Issuer of sessions: starts, renews and ends them, and revokes their access tokens.

    `revocation_lifetime` is how long a revocation is stored. It is longer than the lifetime of any access token.
    """

    tokens: TokenIssuer
    policy: SessionPolicy
    revocation_lifetime: timedelta
    now: Clock
    new_id: NewId
    randomness: Randomness

    async def start(self, work: AuthUnitOfWork, user: User) -> SessionTokens:
        """Start a session and return its first tokens."""
        session = self.policy.new_session(user.id, session_id=self.new_id(), now=self.now())
        await work.sessions.add(session)
        return await self._issue_tokens(work, user, session)

    async def renew(self, work: AuthUnitOfWork, user: User, session: Session) -> SessionTokens:
        """Return new tokens of an active session."""
        await work.sessions.update_used_at(session.id, now=self.now())
        return await self._issue_tokens(work, user, session)

    async def end(self, work: AuthUnitOfWork, session_id: UUID) -> None:
        """End a session and revoke its access tokens."""
        now = self.now()
        await work.sessions.end(session_id, now=now)
        await work.revocations.add_all([SessionRevoked(session_id, expires_at=now + self.revocation_lifetime)])

    async def end_others(self, work: AuthUnitOfWork, session: Session) -> None:
        """End the other sessions of a session's user and revoke their access tokens."""
        now = self.now()
        ended = await work.sessions.end_all(session.user_id, excluding=session.id, now=now)
        expires_at = now + self.revocation_lifetime
        # A session that was not refreshed for so long has no unexpired access token.
        has_tokens = [other.id for other in ended if other.used_at + self.revocation_lifetime > now]
        await work.revocations.add_all([SessionRevoked(session_id, expires_at) for session_id in has_tokens])

    async def revoke_older_epochs(self, work: AuthUnitOfWork, account: User | ServiceAccount) -> None:
        """Revoke every access token whose epoch is below the account's. Sessions and refresh tokens stay valid.

        The transaction must hold the lock of the account.
        """
        expires_at = self.now() + self.revocation_lifetime
        await work.revocations.raise_epoch(EpochRaised(account.id, account.epoch, expires_at=expires_at))

    async def _issue_tokens(self, work: AuthUnitOfWork, user: User, session: Session) -> SessionTokens:
        refresh_token = RefreshToken.generate(random_bytes=self.randomness(SECRET_BYTES))
        expires_at = self.policy.refresh_token_expiry(session, self.now())
        await work.sessions.add_refresh_token(refresh_token, session.id, expires_at=expires_at)
        access_token = await self.tokens.issue_user_token(work.signing_keys, user, session)
        return SessionTokens(user, access_token, refresh_token)
