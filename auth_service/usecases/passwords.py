"""Changing the caller's password."""

from dataclasses import dataclass, replace

from auth_service.domain.accounts import User
from auth_service.domain.errors import AccountGone
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.rate_limits import login_attempt_key
from auth_service.domain.security_events import SecurityEventKind
from auth_service.usecases.caller_rights import lock_active_caller
from auth_service.usecases.personal_token_revocation import revoke_all_personal_tokens
from auth_service.usecases.ports import AuthUnitOfWork, Begin, PasswordHasher, Read
from auth_service.usecases.reauthentication import Reauthenticate
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.session_issuer import SessionIssuer, SessionTokens
from chassis.kernel.clock import Clock
from chassis.kernel.errors import MissingField, raise_all
from chassis.kernel.identity import Caller


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Replace the caller's password and end the caller's other sessions."""

    read: Read
    begin: Begin
    hasher: PasswordHasher
    rules: PasswordRules
    reauthenticate: Reauthenticate
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock

    async def __call__(
        self, caller: Caller, current_password: str, new_password: str, *, revoke_tokens: bool = False
    ) -> SessionTokens:
        """Return new tokens for the caller's session. Its old tokens are revoked with the old password.

        `revoke_tokens` ends the personal access tokens too.

        Raises:
            MissingField: one of the passwords is empty.
            InvalidPassword: the new password breaks a rule.
            WrongCurrentPassword, TooManyAttempts, PasswordChecksBusy: the current password was not confirmed.
            AccountGone: the account or the session ended or changed meanwhile.

        """
        fields = {"current_password": current_password, "new_password": new_password}
        raise_all([MissingField(field=field) for field, value in fields.items() if not value])
        async with self.read() as repositories:
            stored = await repositories.users.get_credentials(caller.id)
        if stored is None or stored.user.disabled:
            raise AccountGone
        user = stored.user
        self.rules.check(new_password, username=user.username, email=user.email, field="new_password")
        await self.reauthenticate(caller, stored, current_password)
        password_hash = await self.hasher.hash(new_password, account=login_attempt_key(user.email))
        now = self.now()
        async with self.begin() as work:
            active = await lock_active_caller(work, caller, now)
            # A concurrent change of the account, by its owner or by an admin, wins.
            if active.user != user:
                raise AccountGone
            user = await replace_password(work, user, password_hash, self.session_issuer)
            await work.sessions.end_all(user.id, excluding=active.session.id, now=now)
            if revoke_tokens:
                await revoke_all_personal_tokens(work, user.id, actor=caller.id, events=self.events, now=now)
            await work.sessions.spend_refresh_tokens(active.session.id, now=now)
            tokens = await self.session_issuer.renew(work, user, active.session)
            await self.events.record(work, SecurityEventKind.PASSWORD_CHANGED, actor=user.id, subject=user.id)
            await work.commit()
        return tokens


async def replace_password(work: AuthUnitOfWork, user: User, password_hash: str, session_issuer: SessionIssuer) -> User:
    """Store a new password. Void the reset code and the counted attempts, and revoke older access tokens."""
    user = replace(user, epoch=user.epoch + 1)
    await work.users.update_password(user, password_hash=password_hash)
    await work.password_resets.delete(user.id)
    await work.attempt_counters.clear(login_attempt_key(user.email))
    await session_issuer.revoke_older_epochs(work, user)
    return user
