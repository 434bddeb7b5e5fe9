"""New passwords: for one's own account, and by a code."""

from dataclasses import dataclass, replace

from auth_service.domain.accounts import User
from auth_service.domain.errors import AccountGone, InvalidResetCode
from auth_service.domain.events import EventKind
from auth_service.domain.one_time import ResetCode
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.throttling import attempts_on
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, PasswordHasher, Read, UnitOfWork
from auth_service.usecases.proof import PasswordProof
from auth_service.usecases.session_keeping import LoggedIn, SessionKeeper
from chassis.kernel.identity import Caller
from chassis.kernel.clock import Clock
from chassis.kernel.errors import MissingField
from chassis.kernel.errors import raise_all


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Replaces the caller's password and ends all their other sessions."""

    read: Read
    begin: Begin
    hasher: PasswordHasher
    rules: PasswordRules
    proof: PasswordProof
    keeper: SessionKeeper
    events: EventLog
    now: Clock

    async def __call__(self, caller: Caller, current: str, new: str) -> LoggedIn:
        """New tokens for the session that asked: its old ones end with the old password.

        Raises:
            MissingField: one of the two is empty.
            InvalidPassword: the new one is not acceptable.
            WrongCurrentPassword, TooManyAttempts, PasswordChecksBusy: the current one is not proved.
            AccountGone: the account or the session ended meanwhile.

        """
        given = {"current_password": current, "new_password": new}
        raise_all([MissingField(field=field) for field, value in given.items() if not value])
        async with self.read() as reading:
            login = await reading.users.login(caller.id)
        if login is None or login.user.disabled:
            raise AccountGone
        self.rules.check(new, username=login.user.username, email=login.user.email, field="new_password")
        await self.proof(caller, login, current)
        password_hash = await self.hasher.hash(new)
        now = self.now()
        async with self.begin() as work:
            known = await work.users.lock(caller.id)
            session = await work.sessions.lock(caller.session_id) if caller.session_id else None
            # Whoever changed the account in between, with the old password or as an admin, was first.
            if known is None or known.user != login.user or session is None or not session.runs(now):
                raise AccountGone
            user = await _replace(work, known.user, password_hash, self.keeper)
            await work.sessions.end_all(user.id, but=session.id, now=now)
            await work.sessions.spend_all(session.id, now=now)
            logged_in = await self.keeper.prolong(work, user, session)
            await self.events.record(work, EventKind.PASSWORD_CHANGED, actor=user.id, subject=user.id)
            await work.commit()
        return logged_in


@dataclass(frozen=True, slots=True)
class RedeemResetCode:
    """Sets a new password by a code that an admin handed out, and ends every session."""

    read: Read
    begin: Begin
    hasher: PasswordHasher
    rules: PasswordRules
    keeper: SessionKeeper
    events: EventLog
    now: Clock

    async def __call__(self, code_text: str, new: str) -> None:
        """Returns when the password is the new one.

        Raises:
            MissingField: one of the two is empty.
            InvalidResetCode: the code is spent, expired or unknown.
            InvalidPassword: the new password is not acceptable; the code stays good.
            PasswordChecksBusy: too many passwords wait for their turn.

        """
        given = {"reset_code": code_text, "new_password": new}
        raise_all([MissingField(field=field) for field, value in given.items() if not value])
        code = ResetCode.parse(code_text)
        async with self.read() as reading:
            owner = await reading.resets.owner(code, now=self.now())
            user = await reading.users.get(owner) if owner else None
        if user is None or user.disabled:
            raise InvalidResetCode
        self.rules.check(new, username=user.username, email=user.email, field="new_password")
        password_hash = await self.hasher.hash(new)
        async with self.begin() as work:
            known = await work.users.lock(user.id)
            if known is None or known.user.disabled or not await work.resets.spend(code, now=self.now()):
                raise InvalidResetCode
            user = await _replace(work, known.user, password_hash, self.keeper)
            await work.sessions.end_all(user.id, now=self.now())
            await self.events.record(work, EventKind.PASSWORD_RESET, actor=user.id, subject=user.id)
            await work.commit()


async def _replace(work: UnitOfWork, user: User, password_hash: str, keeper: SessionKeeper) -> User:
    """Keeps the new password: codes and attempts for the old one are void, and so are its access tokens."""
    changed = replace(user, epoch=user.epoch + 1)
    await work.users.change_password(changed, password_hash=password_hash)
    await work.resets.drop(user.id)
    await work.attempts.clear(attempts_on(user.email))
    await keeper.raise_epoch(work, changed)
    return changed
