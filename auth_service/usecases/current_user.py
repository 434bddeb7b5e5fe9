"""Reading, changing and deleting the caller's own account."""

from dataclasses import dataclass, replace

from auth_service.domain.accounts import User, validate_email, validate_new_username
from auth_service.domain.errors import AccountGone
from auth_service.domain.security_events import SecurityEventKind
from auth_service.usecases.caller_rights import ADMINISTRATION_LOCK, ActiveCaller, lock_active_caller
from auth_service.usecases.ports import AuthUnitOfWork, Begin, Read
from auth_service.usecases.reauthentication import Reauthenticate
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.session_issuer import SessionIssuer
from auth_service.usecases.user_administration import ensure_another_admin
from chassis.kernel.clock import Clock
from chassis.kernel.errors import Invalid, collect_errors, raise_all
from chassis.kernel.identity import Caller


@dataclass(frozen=True, slots=True)
class GetCurrentUser:
    """Read the caller's own account."""

    read: Read

    async def __call__(self, caller: Caller) -> User:
        """Return the account; raise AccountGone if it was deleted or disabled after the token was signed."""
        async with self.read() as repositories:
            user = await repositories.users.get(caller.id)
        if user is None or user.disabled:
            raise AccountGone
        return user


@dataclass(frozen=True, slots=True)
class UpdateCurrentUser:
    """Change the caller's username or email."""

    read: Read
    begin: Begin
    reauthenticate: Reauthenticate
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock

    async def __call__(self, caller: Caller, *, username: str | None, email: str | None, password: str) -> User:
        """Return the account after the change; None leaves a field as it is. A new email ends the other sessions.

        Raises:
            Invalid: at least one field is wrong; the error lists every wrong field.
            MissingField, WrongCurrentPassword, TooManyAttempts, PasswordChecksBusy: a new email needs the password.
            UsernameTaken, EmailTaken: another account has the username or email.
            AccountGone: the account or the session ended or changed meanwhile.

        """
        async with self.read() as repositories:
            stored = await repositories.users.get_credentials(caller.id)
        if stored is None or stored.user.disabled:
            raise AccountGone
        user = stored.user
        changed_user = _with_changes(user, username, email)
        # Every difference in the email needs the password. To a mail server straße and strasse are two mailboxes, and
        # Sonu and sonu may be (RFC 5321 section 2.4), although only one of the two can have an account here.
        if changed_user.email != user.email:
            await self.reauthenticate(caller, stored, password)
        changed_fields = [name for name in ("username", "email") if getattr(changed_user, name) != getattr(user, name)]
        if not changed_fields:
            return user
        async with self.begin() as work:
            active = await lock_active_caller(work, caller, self.now())
            if active.user != user:
                raise AccountGone
            await work.users.update(changed_user)
            if changed_user.email != user.email:
                await self._end_access_by_the_old_email(work, active)
            await self.events.record(
                work,
                SecurityEventKind.ACCOUNT_CHANGED,
                actor=caller.id,
                subject=caller.id,
                fields=" ".join(changed_fields),
            )
            await work.commit()
        return changed_user

    async def _end_access_by_the_old_email(self, work: AuthUnitOfWork, active: ActiveCaller) -> None:
        """End the other sessions and the reset code: somebody else may have got them by the old email."""
        await self.session_issuer.end_others(work, active.session)
        await work.password_resets.delete(active.user.id)


def _with_changes(user: User, username: str | None, email: str | None) -> User:
    errors: list[Invalid] = []
    with collect_errors(errors):
        # A form may send every field back, also a username that is older than a rule for new ones.
        if username is not None and username != user.username:
            user = replace(user, username=validate_new_username(username))
    with collect_errors(errors):
        user = user if email is None else replace(user, email=validate_email(email))
    raise_all(errors)
    return user


@dataclass(frozen=True, slots=True)
class DeleteCurrentUser:
    """Delete the caller's account. Its personal data are erased; its id stays, for the history of tasks."""

    begin: Begin
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock

    async def __call__(self, caller: Caller) -> None:
        """Delete the account; raise LastAdmin, or AccountGone if the account or the session ended or changed."""
        now = self.now()
        async with self.begin() as work:
            await work.serialize(ADMINISTRATION_LOCK)
            active = await lock_active_caller(work, caller, now)
            await ensure_another_admin(work, active.user)
            user = replace(active.user, epoch=active.user.epoch + 1)
            await work.users.delete(user.id, epoch=user.epoch, now=now)
            await self.session_issuer.revoke_older_epochs(work, user)
            await work.sessions.end_all(user.id, now=now)
            await work.personal_tokens.delete_all(user.id)
            await work.password_resets.delete(user.id)
            await self.events.record(work, SecurityEventKind.ACCOUNT_DELETED, actor=caller.id, subject=user.id)
            await work.commit()
