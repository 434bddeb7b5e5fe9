"""Checking, inside the transaction of a change, that the caller still has the rights of the access token.

Verifiers learn of a revocation seconds later. In those seconds a disabled admin could enable its account again or
create other credentials. Every use case that changes accounts or credentials for a caller therefore calls one of these
functions first, before it locks any other row.
"""

from dataclasses import dataclass
from datetime import datetime

from auth_service.domain.accounts import User
from auth_service.domain.errors import AccountGone
from auth_service.domain.sessions import Session
from auth_service.usecases.ports import AuthUnitOfWork
from chassis.kernel.identity import Caller

ADMINISTRATION_LOCK = "auth.administration"
"""Lock that serializes administration. It is taken before any row.

Without it, two admins could remove each other at the same time, or deadlock while each locks the other's account.
"""


@dataclass(frozen=True, slots=True)
class ActiveCaller:
    """Account and session of a caller, locked until the transaction ends."""

    user: User
    session: Session


async def lock_active_caller(work: AuthUnitOfWork, caller: Caller, now: datetime) -> ActiveCaller:
    """Lock and return the caller's account and session.

    Raises:
        AccountGone: the account was disabled or deleted, its role or password changed, or the session ended after the
            access token was issued.

    """
    stored = await work.users.lock(caller.id)
    session = await work.sessions.lock(caller.session_id) if caller.session_id else None
    if stored is None or session is None or session.user_id != caller.id:
        raise AccountGone
    user = stored.user
    if user.disabled or (user.role, user.epoch) != (caller.role, caller.epoch) or not session.is_active(now):
        raise AccountGone
    return ActiveCaller(user, session)


async def lock_active_admin(work: AuthUnitOfWork, caller: Caller, now: datetime) -> ActiveCaller:
    """Take ADMINISTRATION_LOCK, then lock and return the caller; raise AccountGone, also if the caller is no admin."""
    await work.serialize(ADMINISTRATION_LOCK)
    active = await lock_active_caller(work, caller, now)
    if not active.user.is_active_admin:
        raise AccountGone
    return active
