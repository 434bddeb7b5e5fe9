"""Claims of access tokens (RFC 9068). chassis.tokens verifies them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from auth_service.domain.accounts import User
from auth_service.domain.personal_tokens import PersonalToken
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.domain.sessions import Session


@dataclass(frozen=True, slots=True)
class AccessTokenPolicy:
    """Issuer, audience and lifetime of every access token."""

    issuer: str
    audience: str
    lifetime: timedelta

    def user_claims(self, user: User, session: Session, *, token_id: UUID, now: datetime) -> Mapping[str, Any]:
        """Return the claims of a person's token: role, session and epoch. The token does not outlive its session."""
        lifetime = min(self.lifetime, session.expires_at - now)
        claims = self._registered_claims(user.id, token_id, now, lifetime)
        return claims | {"role": user.role.value, "sid": str(session.id), "epoch": user.epoch}

    def personal_token_claims(
        self, user: User, token: PersonalToken, *, token_id: UUID, now: datetime
    ) -> Mapping[str, Any]:
        """Return the claims of a JWT for a personal access token, which is its session. The JWT does not outlive it."""
        lifetime = min(self.lifetime, token.expires_at - now)
        claims = self._registered_claims(user.id, token_id, now, lifetime)
        # Not `scope`, which is that of a service: a verifier must not mistake one for the other.
        token_scope = " ".join(sorted(token.scopes))
        return claims | {
            "role": user.role.value,
            "sid": str(token.id),
            "epoch": user.epoch,
            "token_scope": token_scope,
        }

    def service_claims(self, account: ServiceAccount, *, token_id: UUID, now: datetime) -> Mapping[str, Any]:
        """Return the claims of a service's token: scopes and epoch, no role and no session."""
        claims = self._registered_claims(account.id, token_id, now, self.lifetime)
        return claims | {"scope": " ".join(sorted(account.scopes)), "epoch": account.epoch}

    def _registered_claims(self, subject: UUID, token_id: UUID, now: datetime, lifetime: timedelta) -> dict[str, Any]:
        issued_at = int(now.timestamp())
        return {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(subject),
            "jti": str(token_id),
            "iat": issued_at,
            "exp": issued_at + int(lifetime.total_seconds()),
        }


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Signed JWT in its compact form, and its lifetime."""

    value: str = field(repr=False)
    lifetime: timedelta
