"""Services: making their accounts, and tokens for their credentials."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from auth_service.domain.errors import InvalidServiceCredential, WeakServiceCredential
from auth_service.domain.service_accounts import (
    SECRET_BYTES,
    Scope,
    ServiceAccount,
    ServiceCredential,
    accept_scopes,
)
from auth_service.domain.tokens import AccessToken
from auth_service.usecases.ports import Begin, Randomness, Read
from auth_service.usecases.tokens import TokenIssuer
from chassis.kernel import Clock, NewId


@dataclass(frozen=True, slots=True)
class CreateServiceAccount:
    """Makes a service account and its credential, which can be read this once only."""

    begin: Begin
    now: Clock
    new_id: NewId
    randomness: Randomness

    async def __call__(self, name: str, scopes: Iterable[str]) -> ServiceCredential:
        """The credential; InvalidServiceName, UnknownScope, MissingField or ServiceNameTaken."""
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
            await work.commit()
        return credential


@dataclass(frozen=True, slots=True)
class EnsureServiceAccount:
    """Makes a service account of a credential chosen elsewhere, or brings the one of this name up to it."""

    begin: Begin
    now: Clock
    new_id: NewId

    async def __call__(self, credential: ServiceCredential, scopes: Iterable[str]) -> ServiceAccount:
        """The account as it is now. One that was disabled stays disabled."""
        accepted = accept_scopes(scopes)
        async with self.begin() as work:
            await work.alone("auth.service_accounts")
            known = await work.services.get(credential.name)
            if known is None:
                account = self._new(credential, accepted)
                await work.services.add(account)
            else:
                account = replace(known, scopes=accepted, secret_digest=credential.digest)
                await work.services.update(account)
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
    tokens: TokenIssuer

    async def __call__(self, credential: str) -> ServiceToken:
        """The token; MissingField for none, InvalidServiceCredential for one that fits no account in use."""
        try:
            offered = ServiceCredential.parse(credential)
        except WeakServiceCredential:
            raise InvalidServiceCredential from None
        async with self.read() as reading:
            account = await reading.services.get(offered.name)
            if account is None or not account.accepts(offered):
                raise InvalidServiceCredential
            token = await self.tokens.for_service(reading.keys, account)
        return ServiceToken(token=token, scopes=account.scopes)
