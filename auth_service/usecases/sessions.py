"""Refreshing, listing and ending sessions."""

from dataclasses import dataclass
from uuid import UUID

from auth_service.domain.errors import InvalidRefreshToken, SessionNotFound
from auth_service.domain.one_time_secrets import RefreshToken
from auth_service.domain.security_events import SecurityEventKind
from auth_service.domain.sessions import Session
from auth_service.usecases.caller_rights import lock_active_caller
from auth_service.usecases.ports import AuthUnitOfWork, Begin, Read
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.session_issuer import SessionIssuer, SessionTokens
from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page, PageRequest


@dataclass(frozen=True, slots=True)
class RefreshSession:
    """Exchange a refresh token for new tokens. Each refresh token works once (RFC 9700 section 4.14.2)."""

    begin: Begin
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock

    async def __call__(self, token_text: str) -> SessionTokens:
        """Return the next tokens of the session.

        Raises:
            MissingField: the token is empty.
            InvalidRefreshToken: the token is unknown, expired or spent, or its session or account ended. A spent
                token also ends its session, because a thief may hold the other copy.

        """
        token = RefreshToken.parse(token_text)
        async with self.begin() as work:
            session_id = await work.sessions.find_session_id(token)
            # Lock the session before spending the token. Every use case that ends sessions locks in this order.
            session = await work.sessions.lock(session_id) if session_id else None
            if session is None or not session.is_active(self.now()):
                raise InvalidRefreshToken
            expires_at = await work.sessions.spend_refresh_token(token, now=self.now())
            if expires_at is None:
                await self._end_reused(work, session)
                raise InvalidRefreshToken
            user = await work.users.get(session.user_id)
            if user is None or user.disabled or expires_at <= self.now():
                raise InvalidRefreshToken
            tokens = await self.session_issuer.renew(work, user, session)
            await work.commit()
        return tokens

    async def _end_reused(self, work: AuthUnitOfWork, session: Session) -> None:
        await self.session_issuer.end(work, session.id)
        await self.events.record(
            work,
            SecurityEventKind.REFRESH_TOKEN_REUSED,
            actor=None,
            subject=session.user_id,
            session_id=str(session.id),
        )
        await work.commit()


@dataclass(frozen=True, slots=True)
class LogOut:
    """End the caller's session. A repeated call does nothing."""

    begin: Begin
    session_issuer: SessionIssuer
    events: SecurityEventRecorder

    async def __call__(self, caller: Caller) -> None:
        async with self.begin() as work:
            session = await work.sessions.lock(caller.session_id) if caller.session_id else None
            if session is None or session.ended_at is not None:
                return
            await self.session_issuer.end(work, session.id)
            await self.events.record(
                work,
                SecurityEventKind.LOGGED_OUT,
                actor=caller.id,
                subject=caller.id,
                session_id=str(session.id),
            )
            await work.commit()


@dataclass(frozen=True, slots=True)
class ListSessions:
    """List the caller's active sessions."""

    read: Read
    now: Clock

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[Session]:
        """Return the caller's active sessions, newest first."""
        async with self.read() as repositories:
            return await repositories.sessions.list_page(caller.id, request, now=self.now())


@dataclass(frozen=True, slots=True)
class RevokeSession:
    """End one of the caller's sessions."""

    begin: Begin
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock

    async def __call__(self, caller: Caller, session_id: UUID) -> None:
        """End the session.

        Raises:
            AccountGone: the account or the caller's own session ended or changed meanwhile.
            SessionNotFound: the session is another person's, has ended or does not exist.

        """
        now = self.now()
        async with self.begin() as work:
            await lock_active_caller(work, caller, now)
            session = await work.sessions.lock(session_id)
            if session is None or session.user_id != caller.id or not session.is_active(now):
                raise SessionNotFound
            await self.session_issuer.end(work, session.id)
            await self.events.record(
                work,
                SecurityEventKind.SESSION_REVOKED,
                actor=caller.id,
                subject=caller.id,
                session_id=str(session.id),
            )
            await work.commit()
