"""Administering people's accounts, and finding people."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from auth_service.domain.accounts import LONGEST_USERNAME, User, accept_username, account_key, require_role
from auth_service.domain.errors import LastAdmin, TooManyIds, TooManyUsernames, UserNotFound
from auth_service.domain.events import EventKind
from auth_service.domain.one_time import SECRET_BYTES, ResetCode
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, Randomness, Read, UnitOfWork
from auth_service.usecases.session_keeping import SessionKeeper
from chassis.kernel.identity import Caller
from chassis.kernel.clock import Clock
from chassis.kernel.errors import Invalid
from chassis.kernel.errors import MissingField
from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest
from task_service.access import Role

ADMINISTRATION = "auth.administration"
"""What changes who administers is done one after the other: two admins can't remove each other at once."""

FOUND_AT_MOST = 20
NAMED_AT_MOST = 1000

LONGEST_ASKED = 4 * LONGEST_USERNAME
"""Characters of a name that is looked at: it may be longer than its normal form, which takes quadratic time to find."""


@dataclass(frozen=True, slots=True)
class ListUsers:
    """Shows admins who there is."""

    read: Read

    async def __call__(self, text: str, request: PageRequest) -> Page[User]:
        """Accounts whose username or email holds the text, newest first."""
        async with self.read() as reading:
            return await reading.users.page(text, request)


@dataclass(frozen=True, slots=True)
class GetUser:
    """Reads one account."""

    read: Read

    async def __call__(self, user_id: UUID) -> User:
        """The account; UserNotFound."""
        async with self.read() as reading:
            user = await reading.users.get(user_id)
        if user is None:
            raise UserNotFound
        return user


@dataclass(frozen=True, slots=True)
class LookUpUsers:
    """Finds people by the beginning of their username."""

    read: Read

    async def __call__(self, text: str) -> Sequence[User]:
        """Up to 20 accounts in use, the one of exactly this name first; MissingField for no text."""
        if not text.strip():
            raise MissingField(field="q")
        async with self.read() as reading:
            return await reading.users.look_up(text, most=FOUND_AT_MOST)


@dataclass(frozen=True, slots=True)
class GetUserNames:
    """Tells other services what accounts are called."""

    read: Read

    async def __call__(self, user_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """The usernames of those that there are, disabled ones too; TooManyIds."""
        if len(user_ids) > NAMED_AT_MOST:
            raise TooManyIds(limit=NAMED_AT_MOST)
        async with self.read() as reading:
            return await reading.users.names_of(user_ids)


@dataclass(frozen=True, slots=True)
class GetUserIds:
    """Tells other services whose usernames those are."""

    read: Read

    async def __call__(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """The ids of accounts in use by the names as they were asked for; TooManyUsernames."""
        if len(usernames) > NAMED_AT_MOST:
            raise TooManyUsernames(limit=NAMED_AT_MOST)
        keys = {name: key for name in usernames if (key := _key_of(name))}
        async with self.read() as reading:
            found = await reading.users.ids_of(set(keys.values()))
        return {name: found[key] for name, key in keys.items() if key in found}


def _key_of(username: str) -> str:
    """What the name is looked up by; "" for one that nobody can have."""
    if len(username) > LONGEST_ASKED:
        return ""
    try:
        return account_key(accept_username(username))
    except Invalid:
        return ""


@dataclass(frozen=True, slots=True)
class UpdateUser:
    """Changes what somebody may do."""

    begin: Begin
    keeper: SessionKeeper
    events: EventLog
    now: Clock

    async def __call__(self, caller: Caller, user_id: UUID, *, role: str | None, disabled: bool | None) -> User:
        """The account as it is now; UnknownRole, UserNotFound, or LastAdmin."""
        wanted_role = None if role is None else require_role(role)
        async with self.begin() as work:
            await work.alone(ADMINISTRATION)
            known = await work.users.lock(user_id)
            if known is None:
                raise UserNotFound
            before = known.user
            after = replace(
                before,
                role=before.role if wanted_role is None else wanted_role,
                disabled=before.disabled if disabled is None else disabled,
            )
            if after == before:
                return before
            if not after.administers:
                await keep_an_admin(work, before)
            after = replace(after, epoch=before.epoch + 1)
            await work.users.update(after)
            await self.keeper.raise_epoch(work, after)
            if after.disabled:
                await work.sessions.end_all(after.id, now=self.now())
            await self._record(work, caller, before, after)
            await work.commit()
        return after

    async def _record(self, work: UnitOfWork, caller: Caller, before: User, after: User) -> None:
        if after.role is not before.role:
            roles = {"old": before.role.value, "new": after.role.value}
            await self.events.record(work, EventKind.ROLE_CHANGED, actor=caller.id, subject=after.id, **roles)
        if after.disabled is not before.disabled:
            kind = EventKind.USER_DISABLED if after.disabled else EventKind.USER_ENABLED
            await self.events.record(work, kind, actor=caller.id, subject=after.id)


async def keep_an_admin(work: UnitOfWork, leaving: User) -> None:
    """Returns when somebody else can administer, or the one who leaves could not; LastAdmin otherwise."""
    if leaving.administers and not await work.users.has_role(Role.ADMIN, but=leaving.id):
        raise LastAdmin


@dataclass(frozen=True, slots=True)
class IssuedResetCode:
    """A code, to be read this once only, and its end."""

    code: ResetCode
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class IssueResetCode:
    """Makes a code that sets a new password once. It changes nothing by itself."""

    begin: Begin
    events: EventLog
    lifetime: timedelta
    now: Clock
    randomness: Randomness

    async def __call__(self, caller: Caller, user_id: UUID) -> IssuedResetCode:
        """The code, which replaces one made before; UserNotFound."""
        issued = IssuedResetCode(
            ResetCode.generate(randomness=self.randomness(SECRET_BYTES)), self.now() + self.lifetime
        )
        async with self.begin() as work:
            if await work.users.lock(user_id) is None:
                raise UserNotFound
            await work.resets.put(user_id, issued.code, expires_at=issued.expires_at)
            await self.events.record(work, EventKind.RESET_CODE_ISSUED, actor=caller.id, subject=user_id)
            await work.commit()
        return issued
