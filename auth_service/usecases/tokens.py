"""Turning somebody who proved who they are into an access token."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from auth_service.domain.accounts import User
from auth_service.domain.keys import signing_key
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.domain.sessions import Session
from auth_service.domain.tokens import AccessToken, TokenTerms
from auth_service.usecases.token_ports import Signer, SigningKeys
from chassis.kernel.clock import Clock
from chassis.kernel.ids import NewId
from chassis.kernel.errors import Unavailable


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Signs access tokens with the key whose turn it is.

    The key is looked up each time, one small row beside a password's hash: a rotation needs to tell no process.
    """

    terms: TokenTerms
    signer: Signer
    now: Clock
    new_id: NewId

    async def for_user(self, keys: SigningKeys, user: User, session: Session) -> AccessToken:
        """A person's token; Unavailable while there is no key."""
        return await self._sign(keys, self.terms.for_user(user, session, token_id=self.new_id(), now=self.now()))

    async def for_service(self, keys: SigningKeys, account: ServiceAccount) -> AccessToken:
        """A service's token; Unavailable while there is no key."""
        return await self._sign(keys, self.terms.for_service(account, token_id=self.new_id(), now=self.now()))

    async def _sign(self, keys: SigningKeys, claims: Mapping[str, Any]) -> AccessToken:
        key = signing_key(await keys.all(), self.now())
        if key is None:
            raise Unavailable
        lifetime = timedelta(seconds=claims["exp"] - claims["iat"])
        return AccessToken(value=self.signer.sign(key, claims), lifetime=lifetime)
