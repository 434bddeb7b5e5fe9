"""What people do with their own accounts."""

from dataclasses import dataclass, replace

from auth_service.domain.accounts import StoredLogin, User, accept_email, accept_username, noting
from auth_service.domain.errors import AccountGone
from auth_service.domain.events import EventKind
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, Read
from auth_service.usecases.proof import PasswordProof
from auth_service.usecases.session_keeping import SessionKeeper
from auth_service.usecases.users import ADMINISTRATION, keep_an_admin
from chassis.kernel.identity import Caller
from chassis.kernel.clock import Clock
from chassis.kernel.errors import Invalid
from chassis.kernel.errors import raise_all


@dataclass(frozen=True, slots=True)
class UpdateCurrentUser:
    """Changes the caller's username or email."""

    read: Read
    begin: Begin
    proof: PasswordProof
    events: EventLog

    async def __call__(self, caller: Caller, *, username: str | None, email: str | None, password: str) -> User:
        """The account as it is now.

        Raises:
            Invalid: everything that is wrong with a field.
            MissingField, WrongCurrentPassword, TooManyAttempts, PasswordChecksBusy: a new email needs the password.
            UsernameTaken, EmailTaken: another account has it.
            AccountGone: the account ended meanwhile.

        """
        async with self.read() as reading:
            login = await reading.users.login(caller.id)
        if login is None or login.user.disabled:
            raise AccountGone
        wanted = _wanted(login, username, email)
        # However little it differs: to a mail server straße and strasse are two people, and so may Sonu and sonu be
        # (RFC 5321 section 2.4), though one of the two is all that can have an account here.
        if wanted.email != login.user.email:
            await self.proof(caller, login, password)
        changed = [name for name in ("username", "email") if getattr(wanted, name) != getattr(login.user, name)]
        if not changed:
            return login.user
        async with self.begin() as work:
            known = await work.users.lock(caller.id)
            if known is None or known.user != login.user:
                raise AccountGone
            await work.users.update(wanted)
            await self.events.record(
                work, EventKind.ACCOUNT_CHANGED, actor=caller.id, subject=caller.id, fields=" ".join(changed)
            )
            await work.commit()
        return wanted


def _wanted(login: StoredLogin, username: str | None, email: str | None) -> User:
    wrong: list[Invalid] = []
    wanted = login.user
    with noting(wrong):
        wanted = wanted if username is None else replace(wanted, username=accept_username(username))
    with noting(wrong):
        wanted = wanted if email is None else replace(wanted, email=accept_email(email))
    raise_all(wrong)
    return wanted


@dataclass(frozen=True, slots=True)
class DeleteCurrentUser:
    """Deletes the caller's account: who it was is gone, its id stays in the history of tasks."""

    begin: Begin
    keeper: SessionKeeper
    events: EventLog
    now: Clock

    async def __call__(self, caller: Caller) -> None:
        """Returns when it is gone; LastAdmin, or AccountGone when it was before."""
        async with self.begin() as work:
            await work.alone(ADMINISTRATION)
            known = await work.users.lock(caller.id)
            if known is None or known.user.disabled:
                raise AccountGone
            await keep_an_admin(work, known.user)
            epoch = known.user.epoch + 1
            await work.users.delete(caller.id, epoch=epoch, now=self.now())
            await self.keeper.raise_epoch(work, replace(known.user, epoch=epoch))
            await work.sessions.end_all(caller.id, now=self.now())
            await work.resets.drop(caller.id)
            await self.events.record(work, EventKind.ACCOUNT_DELETED, actor=caller.id, subject=caller.id)
            await work.commit()
