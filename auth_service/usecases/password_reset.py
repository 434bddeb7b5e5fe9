"""Resetting a forgotten password by a code that an admin hands out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from auth_service.domain.errors import InvalidResetCode, UserNotFound
from auth_service.domain.one_time_secrets import SECRET_BYTES, ResetCode
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.rate_limits import login_attempt_key
from auth_service.domain.security_events import SecurityEventKind
from auth_service.usecases.caller_rights import lock_active_admin
from auth_service.usecases.passwords import replace_password
from auth_service.usecases.personal_token_revocation import revoke_all_personal_tokens
from auth_service.usecases.ports import Begin, PasswordHasher, Randomness, Read
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.session_issuer import SessionIssuer
from chassis.kernel.clock import Clock
from chassis.kernel.errors import MissingField, raise_all
from chassis.kernel.identity import Caller


@dataclass(frozen=True, slots=True)
class IssuedResetCode:
    """Reset code and its expiry. The code cannot be read again later."""

    code: ResetCode
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class IssueResetCode:
    """Create a reset code for an account. The account itself does not change. Only admins may call it."""

    begin: Begin
    events: SecurityEventRecorder
    lifetime: timedelta
    now: Clock
    randomness: Randomness

    async def __call__(self, caller: Caller, user_id: UUID) -> IssuedResetCode:
        """Return the code, which replaces an earlier one. It is void as soon as the epoch of the caller increases.

        Raises:
            AccountGone: the caller is no longer an admin.
            UserNotFound: the account does not exist.

        """
        code = ResetCode.generate(random_bytes=self.randomness(SECRET_BYTES))
        now = self.now()
        issued = IssuedResetCode(code, expires_at=now + self.lifetime)
        async with self.begin() as work:
            issuer = (await lock_active_admin(work, caller, now)).user
            if await work.users.lock(user_id) is None:
                raise UserNotFound
            await work.password_resets.put(user_id, issued.code, issuer=issuer, expires_at=issued.expires_at)
            await self.events.record(work, SecurityEventKind.RESET_CODE_ISSUED, actor=caller.id, subject=user_id)
            await work.commit()
        return issued


@dataclass(frozen=True, slots=True)
class RedeemResetCode:
    """Set a new password by a reset code and end every session and personal access token of the account.

    The account may have been taken over: a token that a stranger made must not outlive the reset.
    """

    read: Read
    begin: Begin
    hasher: PasswordHasher
    rules: PasswordRules
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock

    async def __call__(self, code_text: str, new_password: str) -> None:
        """Set the new password.

        Raises:
            MissingField: the code or the password is empty.
            InvalidResetCode: the code is spent, expired, void or unknown.
            InvalidPassword: the new password breaks a rule. The code stays valid.
            PasswordChecksBusy: too many passwords are being hashed.

        """
        fields = {"reset_code": code_text, "new_password": new_password}
        raise_all([MissingField(field=field) for field, value in fields.items() if not value])
        code = ResetCode.parse(code_text)
        async with self.read() as repositories:
            user_id = await repositories.password_resets.find_user_id(code, now=self.now())
            user = await repositories.users.get(user_id) if user_id else None
        if user is None or user.disabled:
            raise InvalidResetCode
        self.rules.check(new_password, username=user.username, email=user.email, field="new_password")
        password_hash = await self.hasher.hash(new_password, account=login_attempt_key(user.email))
        async with self.begin() as work:
            current = await work.users.lock(user.id)
            if current is None or current.user.disabled or not await work.password_resets.spend(code, now=self.now()):
                raise InvalidResetCode
            user = await replace_password(work, current.user, password_hash, self.session_issuer)
            await work.sessions.end_all(user.id, now=self.now())
            await revoke_all_personal_tokens(work, user.id, actor=user.id, events=self.events, now=self.now())
            await self.events.record(work, SecurityEventKind.PASSWORD_RESET, actor=user.id, subject=user.id)
            await work.commit()
