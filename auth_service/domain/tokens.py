"""Access tokens: what ours say (RFC 9068, DESIGN section 5). How one is believed stands in chassis.tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from auth_service.domain.accounts import User
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.domain.sessions import Session


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What all our tokens have in common."""

    issuer: str
    audience: str
    lifetime: timedelta

    def for_user(self, user: User, session: Session, *, token_id: UUID, now: datetime) -> Mapping[str, Any]:
        """The claims of a person's token: role, session and epoch. It does not outlive its session."""
        own = {"role": user.role.value, "sid": str(session.id), "epoch": user.epoch}
        return self._claims(user.id, token_id, now, min(self.lifetime, session.expires_at - now)) | own

    def for_service(self, account: ServiceAccount, *, token_id: UUID, now: datetime) -> Mapping[str, Any]:
        """The claims of a service's token: scopes and epoch, no role and no session."""
        own = {"scope": " ".join(sorted(account.scopes)), "epoch": account.epoch}
        return self._claims(account.id, token_id, now, self.lifetime) | own

    def _claims(self, subject: UUID, token_id: UUID, now: datetime, lifetime: timedelta) -> dict[str, Any]:
        issued = int(now.timestamp())
        return {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(subject),
            "jti": str(token_id),
            "iat": issued,
            "exp": issued + int(lifetime.total_seconds()),
        }


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed token and how long it lives."""

    value: str = field(repr=False)
    lifetime: timedelta
