"""Prolonging sessions, seeing them, and ending them."""

from dataclasses import dataclass
from uuid import UUID

from auth_service.domain.errors import InvalidRefreshToken, SessionNotFound
from auth_service.domain.events import EventKind
from auth_service.domain.one_time import RefreshToken
from auth_service.domain.sessions import Session
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, Read, UnitOfWork
from auth_service.usecases.session_keeping import LoggedIn, SessionKeeper
from chassis.kernel.identity import Caller
from chassis.kernel.clock import Clock
from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest


@dataclass(frozen=True, slots=True)
class RefreshSession:
    """Turns a refresh token into new tokens, once (RFC 9700 section 4.14.2)."""

    begin: Begin
    keeper: SessionKeeper
    events: EventLog
    now: Clock

    async def __call__(self, token_text: str) -> LoggedIn:
        """The next tokens; MissingField, or InvalidRefreshToken for whatever is wrong with the one given."""
        token = RefreshToken.parse(token_text)
        async with self.begin() as work:
            session_id = await work.sessions.session_of(token)
            # The session is locked before the token is spent: whoever ends sessions takes the locks in this order too.
            session = await work.sessions.lock(session_id) if session_id else None
            if session is None or not session.runs(self.now()):
                raise InvalidRefreshToken
            expires_at = await work.sessions.spend(token, now=self.now())
            if expires_at is None:
                await self._end_family(work, session)
                raise InvalidRefreshToken
            user = await work.users.get(session.user_id)
            if user is None or user.disabled or expires_at <= self.now():
                raise InvalidRefreshToken
            given = await self.keeper.prolong(work, user, session)
            await work.commit()
        return given

    async def _end_family(self, work: UnitOfWork, session: Session) -> None:
        await self.keeper.end(work, session.id)
        await self.events.record(
            work,
            EventKind.REFRESH_TOKEN_REUSED,
            actor=None,
            subject=session.user_id,
            session_id=str(session.id),
        )
        await work.commit()


@dataclass(frozen=True, slots=True)
class LogOut:
    """Ends the session that the caller's token belongs to. Safe to ask again."""

    begin: Begin
    keeper: SessionKeeper
    events: EventLog
    now: Clock

    async def __call__(self, caller: Caller) -> None:
        """Returns when the session has ended."""
        async with self.begin() as work:
            session = await work.sessions.lock(caller.session_id) if caller.session_id else None
            if session is None or session.ended_at is not None:
                return
            await self.keeper.end(work, session.id)
            await self.events.record(
                work, EventKind.LOGGED_OUT, actor=caller.id, subject=caller.id, session_id=str(session.id)
            )
            await work.commit()


@dataclass(frozen=True, slots=True)
class ListSessions:
    """Shows somebody where they are logged in."""

    read: Read
    now: Clock

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[Session]:
        """The caller's sessions that run, newest first."""
        async with self.read() as reading:
            return await reading.sessions.page(caller.id, request, now=self.now())


@dataclass(frozen=True, slots=True)
class RevokeSession:
    """Ends one of the caller's own sessions."""

    begin: Begin
    keeper: SessionKeeper
    events: EventLog
    now: Clock

    async def __call__(self, caller: Caller, session_id: UUID) -> None:
        """Returns when it has ended; SessionNotFound for another's, an ended one and none at all."""
        async with self.begin() as work:
            session = await work.sessions.lock(session_id)
            if session is None or session.user_id != caller.id or not session.runs(self.now()):
                raise SessionNotFound
            await self.keeper.end(work, session.id)
            await self.events.record(
                work, EventKind.SESSION_REVOKED, actor=caller.id, subject=caller.id, session_id=str(session.id)
            )
            await work.commit()
