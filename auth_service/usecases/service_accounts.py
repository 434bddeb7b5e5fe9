"""Services: making and changing their accounts, and tokens for their credentials."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from auth_service.domain.errors import InvalidServiceCredential, ServiceAccountNotFound, WeakServiceCredential
from auth_service.domain.events import EventKind
from auth_service.domain.service_accounts import (
    SECRET_BYTES,
    Scope,
    ServiceAccount,
    ServiceCredential,
    accept_scopes,
)
from auth_service.domain.throttling import Allowance, refusals_of
from auth_service.domain.tokens import AccessToken
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, Randomness, Read
from auth_service.usecases.session_keeping import SessionKeeper
from auth_service.usecases.tokens import TokenIssuer
from chassis.kernel.identity import Caller
from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId
from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest

NOTED = Allowance(burst=10, every=timedelta(seconds=15))
"""How many refused credentials of one service the log tells of, as many as of wrong passwords."""


@dataclass(frozen=True, slots=True)
class IssuedServiceAccount:
    """A service account and its credential, to be read this once only."""

    account: ServiceAccount
    credential: ServiceCredential = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreateServiceAccount:
    """Makes a service account and its credential."""

    begin: Begin
    events: EventLog
    now: Clock
    new_id: NewId
    randomness: Randomness

    async def __call__(self, name: str, scopes: Iterable[str], *, caller: Caller | None = None) -> IssuedServiceAccount:
        """Both; InvalidServiceName, UnknownScope, MissingField or ServiceNameTaken. A command has no caller."""
        credential = ServiceCredential.generate(name, randomness=self.randomness(SECRET_BYTES))
        account = ServiceAccount(
            id=self.new_id(),
            name=credential.name,
            scopes=accept_scopes(scopes),
            secret_digest=credential.digest,
            created_at=self.now(),
        )
        async with self.begin() as work:
            await work.services.add(account)
            actor, given = caller.id if caller else None, " ".join(sorted(account.scopes))
            await self.events.record(work, EventKind.SERVICE_CREATED, actor=actor, subject=account.id, scopes=given)
            await work.commit()
        return IssuedServiceAccount(account, credential)


@dataclass(frozen=True, slots=True)
class ListServiceAccounts:
    """Shows admins which services there are."""

    read: Read

    async def __call__(self, request: PageRequest) -> Page[ServiceAccount]:
        """Service accounts, newest first."""
        async with self.read() as reading:
            return await reading.services.page(request)


@dataclass(frozen=True, slots=True)
class RotateServiceAccount:
    """Gives a service another credential. The old one and its tokens end."""

    begin: Begin
    keeper: SessionKeeper
    events: EventLog
    randomness: Randomness

    async def __call__(self, caller: Caller, account_id: UUID) -> IssuedServiceAccount:
        """The account and its new credential; ServiceAccountNotFound."""
        async with self.begin() as work:
            known = await work.services.lock(account_id)
            if known is None:
                raise ServiceAccountNotFound
            credential = ServiceCredential.generate(known.name, randomness=self.randomness(SECRET_BYTES))
            account = replace(known, secret_digest=credential.digest, epoch=known.epoch + 1)
            await work.services.update(account)
            await self.keeper.raise_epoch(work, account)
            await self.events.record(work, EventKind.SERVICE_ROTATED, actor=caller.id, subject=account.id)
            await work.commit()
        return IssuedServiceAccount(account, credential)


@dataclass(frozen=True, slots=True)
class SwitchServiceAccount:
    """Shuts a service out, tokens included, or lets it in again."""

    begin: Begin
    keeper: SessionKeeper
    events: EventLog

    async def __call__(self, caller: Caller, account_id: UUID, *, disabled: bool) -> ServiceAccount:
        """The account as it is now; ServiceAccountNotFound. Safe to ask again."""
        async with self.begin() as work:
            known = await work.services.lock(account_id)
            if known is None:
                raise ServiceAccountNotFound
            if known.disabled == disabled:
                return known
            account = replace(known, disabled=disabled, epoch=known.epoch + 1)
            await work.services.update(account)
            await self.keeper.raise_epoch(work, account)
            kind = EventKind.SERVICE_DISABLED if disabled else EventKind.SERVICE_ENABLED
            await self.events.record(work, kind, actor=caller.id, subject=account.id)
            await work.commit()
        return account


@dataclass(frozen=True, slots=True)
class EnsureServiceAccount:
    """Makes a service account of a credential chosen elsewhere, or brings the one of this name up to it."""

    begin: Begin
    keeper: SessionKeeper
    events: EventLog
    now: Clock
    new_id: NewId

    async def __call__(self, credential: ServiceCredential, scopes: Iterable[str]) -> ServiceAccount:
        """The account as it is now. One that was disabled stays disabled."""
        accepted = accept_scopes(scopes)
        given = " ".join(sorted(accepted))
        async with self.begin() as work:
            await work.alone("auth.service_accounts")
            found = await work.services.get(credential.name)
            # Locked before it is changed: an admin may be disabling it at this moment.
            known = await work.services.lock(found.id) if found else None
            if known is None:
                account = self._new(credential, accepted)
                await work.services.add(account)
                await self.events.record(work, EventKind.SERVICE_CREATED, actor=None, subject=account.id, scopes=given)
                await work.commit()
                return account
            account = replace(known, scopes=accepted, secret_digest=credential.digest)
            if account != known:
                account = replace(account, epoch=known.epoch + 1)
                await work.services.update(account)
                await self.keeper.raise_epoch(work, account)
                await self.events.record(work, EventKind.SERVICE_CHANGED, actor=None, subject=account.id, scopes=given)
                await work.commit()
        return account

    def _new(self, credential: ServiceCredential, scopes: frozenset[Scope]) -> ServiceAccount:
        return ServiceAccount(
            id=self.new_id(),
            name=credential.name,
            scopes=scopes,
            secret_digest=credential.digest,
            created_at=self.now(),
        )


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """A service's token and what it allows."""

    token: AccessToken
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class IssueServiceToken:
    """Turns a service's credential into a token."""

    read: Read
    begin: Begin
    tokens: TokenIssuer
    events: EventLog

    async def __call__(self, credential: str) -> ServiceToken:
        """The token; MissingField for none, InvalidServiceCredential for one that fits no account in use."""
        try:
            offered = ServiceCredential.parse(credential)
        except WeakServiceCredential:
            await self._note_refusal(None, "malformed")
            raise InvalidServiceCredential from None
        async with self.read() as reading:
            account = await reading.services.get(offered.name)
            if account and account.accepts(offered):
                token = await self.tokens.for_service(reading.keys, account)
                return ServiceToken(token=token, scopes=account.scopes)
        why = "unknown service" if account is None else "disabled" if account.knows(offered) else "another secret"
        await self._note_refusal(account, why)
        raise InvalidServiceCredential

    async def _note_refusal(self, account: ServiceAccount | None, why: str) -> None:
        """Writes down that a credential was refused, unless too many were: a stranger must not fill the log.

        Refusing is not slowed: nobody guesses 256 random bits.
        """
        subject = account.id if account else None
        async with self.begin() as work:
            if await work.attempts.take(refusals_of(subject), NOTED) is None:
                await self.events.record(work, EventKind.SERVICE_REFUSED, actor=None, subject=subject, why=why)
                await work.commit()
