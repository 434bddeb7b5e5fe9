"""Creating and changing service accounts."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from auth_service.domain.errors import ServiceAccountNotFound
from auth_service.domain.one_time_secrets import SECRET_BYTES
from auth_service.domain.security_events import SecurityEventKind
from auth_service.domain.service_accounts import ServiceAccount, ServiceCredential, parse_scopes
from auth_service.usecases.caller_rights import lock_active_admin
from auth_service.usecases.ports import Begin, Randomness, Read
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.session_issuer import SessionIssuer
from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from chassis.kernel.pagination import Page, PageRequest

SERVICE_ACCOUNTS_LOCK = "auth.service_accounts"


@dataclass(frozen=True, slots=True)
class IssuedServiceAccount:
    """Service account and its credential. The credential cannot be read again later."""

    account: ServiceAccount
    credential: ServiceCredential = field(repr=False)


@dataclass(frozen=True, slots=True)
class ListServiceAccounts:
    """List service accounts for admins."""

    read: Read

    async def __call__(self, request: PageRequest) -> Page[ServiceAccount]:
        """Return service accounts, newest first."""
        async with self.read() as repositories:
            return await repositories.service_accounts.list_page(request)


@dataclass(frozen=True, slots=True)
class CreateServiceAccount:
    """Create a service account and its credential."""

    begin: Begin
    events: SecurityEventRecorder
    now: Clock
    new_id: NewId
    randomness: Randomness

    async def __call__(self, name: str, scopes: Iterable[str], *, caller: Caller | None = None) -> IssuedServiceAccount:
        """Return the account and its credential. `caller` is None for an operator's command.

        Raises:
            AccountGone: the caller is no longer an admin.
            InvalidServiceName: the name does not have the required format.
            UnknownScope, MissingField: a scope is unknown, or there is none.
            ServiceNameTaken: another account has the name.

        """
        now = self.now()
        credential = ServiceCredential.generate(name, random_bytes=self.randomness(SECRET_BYTES))
        account = ServiceAccount(
            id=self.new_id(),
            name=credential.name,
            scopes=parse_scopes(scopes),
            secret_digest=credential.digest,
            created_at=now,
        )
        async with self.begin() as work:
            if caller is not None:
                await lock_active_admin(work, caller, now)
            await work.service_accounts.add(account)
            await self.events.record(
                work,
                SecurityEventKind.SERVICE_CREATED,
                actor=caller.id if caller else None,
                subject=account.id,
                scopes=" ".join(sorted(account.scopes)),
            )
            await work.commit()
        return IssuedServiceAccount(account, credential)


@dataclass(frozen=True, slots=True)
class RotateServiceAccount:
    """Give a service account a new credential, and revoke the old one and its access tokens."""

    begin: Begin
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock
    randomness: Randomness

    async def __call__(self, caller: Caller, account_id: UUID) -> IssuedServiceAccount:
        """Return the account and its new credential.

        Raises:
            AccountGone: the caller is no longer an admin.
            ServiceAccountNotFound: the account does not exist.

        """
        async with self.begin() as work:
            await lock_active_admin(work, caller, self.now())
            old_account = await work.service_accounts.lock(account_id)
            if old_account is None:
                raise ServiceAccountNotFound
            credential = ServiceCredential.generate(old_account.name, random_bytes=self.randomness(SECRET_BYTES))
            account = replace(old_account, secret_digest=credential.digest, epoch=old_account.epoch + 1)
            await work.service_accounts.update(account)
            await self.session_issuer.revoke_older_epochs(work, account)
            await self.events.record(work, SecurityEventKind.SERVICE_ROTATED, actor=caller.id, subject=account.id)
            await work.commit()
        return IssuedServiceAccount(account, credential)


@dataclass(frozen=True, slots=True)
class SetServiceAccountDisabled:
    """Disable a service account and revoke its access tokens, or enable it again."""

    begin: Begin
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock

    async def __call__(self, caller: Caller, account_id: UUID, *, disabled: bool) -> ServiceAccount:
        """Return the account after the change. A repeated call does nothing.

        Raises:
            AccountGone: the caller is no longer an admin.
            ServiceAccountNotFound: the account does not exist.

        """
        async with self.begin() as work:
            await lock_active_admin(work, caller, self.now())
            old_account = await work.service_accounts.lock(account_id)
            if old_account is None:
                raise ServiceAccountNotFound
            if old_account.disabled == disabled:
                return old_account
            account = replace(old_account, disabled=disabled, epoch=old_account.epoch + 1)
            await work.service_accounts.update(account)
            await self.session_issuer.revoke_older_epochs(work, account)
            kind = SecurityEventKind.SERVICE_DISABLED if disabled else SecurityEventKind.SERVICE_ENABLED
            await self.events.record(work, kind, actor=caller.id, subject=account.id)
            await work.commit()
        return account


@dataclass(frozen=True, slots=True)
class EnsureServiceAccount:
    """Create a service account with a given credential, or update the account of this name to it."""

    begin: Begin
    session_issuer: SessionIssuer
    events: SecurityEventRecorder
    now: Clock
    new_id: NewId

    async def __call__(self, credential: ServiceCredential, scopes: Iterable[str]) -> ServiceAccount:
        """Return the account; raise UnknownScope or MissingField. A disabled account stays disabled."""
        requested_scopes = parse_scopes(scopes)
        async with self.begin() as work:
            await work.serialize(SERVICE_ACCOUNTS_LOCK)
            existing = await work.service_accounts.get_by_name(credential.name)
            # Lock the account before changing it: an admin may be disabling it concurrently.
            old_account = await work.service_accounts.lock(existing.id) if existing else None
            if old_account is None:
                account = ServiceAccount(
                    self.new_id(), credential.name, requested_scopes, credential.digest, created_at=self.now()
                )
                await work.service_accounts.add(account)
                kind = SecurityEventKind.SERVICE_CREATED
            else:
                account = replace(old_account, scopes=requested_scopes, secret_digest=credential.digest)
                if account == old_account:
                    return old_account
                account = replace(account, epoch=old_account.epoch + 1)
                await work.service_accounts.update(account)
                await self.session_issuer.revoke_older_epochs(work, account)
                kind = SecurityEventKind.SERVICE_CHANGED
            granted = " ".join(sorted(account.scopes))
            await self.events.record(work, kind, actor=None, subject=account.id, scopes=granted)
            await work.commit()
        return account
