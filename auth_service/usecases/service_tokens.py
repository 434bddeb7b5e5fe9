"""Issuing access tokens for service credentials."""

from dataclasses import dataclass
from datetime import timedelta

from auth_service.domain.access_tokens import AccessToken
from auth_service.domain.errors import InvalidServiceCredential, MalformedServiceCredential
from auth_service.domain.rate_limits import RateLimit, service_rejection_key
from auth_service.domain.security_events import SecurityEventKind
from auth_service.domain.service_accounts import Scope, ServiceAccount, ServiceCredential
from auth_service.usecases.ports import Begin, Read
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.token_issuer import TokenIssuer

REJECTION_LOG_LIMIT = RateLimit(burst=10, interval=timedelta(seconds=15))
"""Limit on security events about rejected credentials of one service, the same as for wrong passwords."""


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """Access token of a service, and its scopes."""

    access_token: AccessToken
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class IssueServiceToken:
    """Issue an access token for a service's credential."""

    read: Read
    begin: Begin
    tokens: TokenIssuer
    events: SecurityEventRecorder

    async def __call__(self, credential_text: str) -> ServiceToken:
        """Return the token; raise MissingField for an empty credential, InvalidServiceCredential for a wrong one."""
        try:
            credential = ServiceCredential.parse(credential_text)
        except MalformedServiceCredential:
            await self._record_rejection(None, "malformed")
            raise InvalidServiceCredential from None
        async with self.read() as repositories:
            account = await repositories.service_accounts.get_by_name(credential.name)
            if account and account.accepts(credential):
                access_token = await self.tokens.issue_service_token(repositories.signing_keys, account)
                return ServiceToken(access_token, account.scopes)
        if account is None:
            await self._record_rejection(None, "unknown service")
        else:
            await self._record_rejection(account, "disabled" if account.matches(credential) else "wrong secret")
        raise InvalidServiceCredential

    async def _record_rejection(self, account: ServiceAccount | None, reason: str) -> None:
        """Record a rejected credential, within REJECTION_LOG_LIMIT: an attacker must not fill the log.

        The limit is on events only. Rejections themselves are not slowed: nobody can guess 256 random bits.
        """
        subject = account.id if account else None
        async with self.begin() as work:
            if await work.attempt_counters.hit(service_rejection_key(subject), REJECTION_LOG_LIMIT) is None:
                await self.events.record(
                    work, SecurityEventKind.SERVICE_CREDENTIAL_REJECTED, actor=None, subject=subject, reason=reason
                )
                await work.commit()
