"""Changing the role of an account, and disabling it."""

from dataclasses import dataclass, replace
from uuid import UUID

from auth_service.domain.accounts import User
from auth_service.domain.errors import LastAdmin, UserNotFound
from auth_service.domain.roles import Role, parse_role
from auth_service.domain.security_events import SecurityEventKind
from auth_service.usecases.caller_rights import lock_active_admin
from auth_service.usecases.personal_token_revocation import revoke_all_personal_tokens
from auth_service.usecases.ports import AuthUnitOfWork, Begin
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.session_issuer import SessionIssuer
from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller


@dataclass(frozen=True, slots=True)
class UpdateUser:
    """Change the role of an account, or disable or enable it. Only admins may call it."""

    begin: Begin
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock

    async def __call__(self, caller: Caller, user_id: UUID, *, role: str | None, disabled: bool | None) -> User:
        """Return the account after the change; None leaves a field as it is.

        Raises:
            UnknownRole: no role has this name.
            AccountGone: the caller is no longer an admin.
            UserNotFound: the account does not exist.
            LastAdmin: the change would leave no active admin.

        """
        new_role = None if role is None else parse_role(role)
        async with self.begin() as work:
            await lock_active_admin(work, caller, self.now())
            stored = await work.users.lock(user_id)
            if stored is None:
                raise UserNotFound
            old_user = stored.user
            new_user = replace(
                old_user,
                role=old_user.role if new_role is None else new_role,
                disabled=old_user.disabled if disabled is None else disabled,
            )
            if new_user == old_user:
                return old_user
            if not new_user.is_active_admin:
                await ensure_another_admin(work, old_user)
            new_user = replace(new_user, epoch=old_user.epoch + 1)
            await work.users.update(new_user)
            await self.session_issuer.revoke_older_epochs(work, new_user)
            if new_user.disabled:
                await work.sessions.end_all(new_user.id, now=self.now())
                await revoke_all_personal_tokens(work, new_user.id, actor=caller.id, events=self.events, now=self.now())
                await work.password_resets.delete(new_user.id)
            await self._record(work, caller, old_user, new_user)
            await work.commit()
        return new_user

    async def _record(self, work: AuthUnitOfWork, caller: Caller, old_user: User, new_user: User) -> None:
        if new_user.role != old_user.role:
            roles = {"old": old_user.role.value, "new": new_user.role.value}
            await self.events.record(
                work, SecurityEventKind.ROLE_CHANGED, actor=caller.id, subject=new_user.id, **roles
            )
        if new_user.disabled != old_user.disabled:
            kind = SecurityEventKind.USER_DISABLED if new_user.disabled else SecurityEventKind.USER_ENABLED
            await self.events.record(work, kind, actor=caller.id, subject=new_user.id)


async def ensure_another_admin(work: AuthUnitOfWork, user: User) -> None:
    """Raise LastAdmin if this account is the only active admin. The caller holds ADMINISTRATION_LOCK."""
    if user.is_active_admin and not await work.users.has_active(Role.ADMIN, excluding=user.id):
        raise LastAdmin
