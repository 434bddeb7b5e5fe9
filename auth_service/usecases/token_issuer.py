"""Issuing access tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from auth_service.domain.access_tokens import AccessToken, AccessTokenPolicy
from auth_service.domain.accounts import User
from auth_service.domain.personal_tokens import PersonalToken
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.domain.sessions import Session
from auth_service.domain.signing_keys import current_signing_key
from auth_service.usecases.ports import Signer
from auth_service.usecases.repositories import SigningKeys
from chassis.kernel.clock import Clock
from chassis.kernel.errors import Unavailable
from chassis.kernel.ids import NewId


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Issuer of access tokens, which signs them with the current signing key.

    It reads the key from the database for every token. That costs little beside a password hash, and a key rotation
    needs to notify no process.
    """

    policy: AccessTokenPolicy
    signer: Signer
    now: Clock
    new_id: NewId

    async def issue_user_token(self, keys: SigningKeys, user: User, session: Session) -> AccessToken:
        """Return a person's token; raise Unavailable while no key is active."""
        claims = self.policy.user_claims(user, session, token_id=self.new_id(), now=self.now())
        return await self._sign(keys, claims)

    async def issue_personal_token(self, keys: SigningKeys, user: User, token: PersonalToken) -> AccessToken:
        """Return the JWT of a personal access token that has not expired; raise Unavailable while no key is active."""
        claims = self.policy.personal_token_claims(user, token, token_id=self.new_id(), now=self.now())
        return await self._sign(keys, claims, is_personal=True)

    async def issue_service_token(self, keys: SigningKeys, account: ServiceAccount) -> AccessToken:
        """Return a service's token; raise Unavailable while no key is active."""
        claims = self.policy.service_claims(account, token_id=self.new_id(), now=self.now())
        return await self._sign(keys, claims)

    async def _sign(self, keys: SigningKeys, claims: Mapping[str, Any], *, is_personal: bool = False) -> AccessToken:
        key = current_signing_key(await keys.list_all(), self.now())
        if key is None:
            raise Unavailable
        lifetime = timedelta(seconds=claims["exp"] - claims["iat"])
        return AccessToken(value=self.signer.sign(key, claims, is_personal=is_personal), lifetime=lifetime)
