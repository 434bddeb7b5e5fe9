"""Access tokens: claims and verification (RFC 7519, RFC 8725, RFC 9068)."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.kernel.errors import DomainError

ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - the header's typ, RFC 9068 section 2.1
PERSONAL_TOKEN_TYPE = "pat+jwt"  # noqa: S105 - the header's typ
"""Type of the JWT that stands for a personal access token. Verifiers that know no scopes of users refuse it: without
its own type they would take it for a full session of its user (RFC 8725 section 3.11)."""
MAX_LIFETIME_SECONDS = 3600
"""A token with a longer lifetime is refused, even with a valid signature: auth_service issues none."""
LEEWAY_SECONDS = 5
"""Maximum difference between the clocks of two machines."""
_TOKEN_TYPES = (TOKEN_TYPE, PERSONAL_TOKEN_TYPE)
_FOREIGN_KEYS = {"crit", "jku", "jwk", "x5u", "x5c"}
_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti"]
MAX_CACHED_TOKENS = 20_000
"""Size of the cache of verified tokens: a cached token costs a lookup instead of a signature check."""


class Unauthenticated(DomainError):
    """A valid access token is required. Log in, or refresh the token."""


class TokenExpired(Unauthenticated):
    """The access token has expired. Refresh it, or log in."""


class TokenRevoked(Unauthenticated):
    """The access token was revoked. Log in again."""


class UnknownKey(Unauthenticated, inherits_reason=True):
    """A valid access token is required. Log in, or refresh the token."""

    # Message and reason are the parent's: clients must not learn whether a key exists.


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of a verified token. A user's has role, session and epoch; a service's has scopes and epoch.

    `token_scopes` are the scopes of a personal access token, whose id is the session's; None for any other token.
    """

    subject: UUID
    expires_at: int
    role: str | None
    session_id: UUID | None
    epoch: int
    scopes: frozenset[str]
    token_scopes: frozenset[str] | None = None


class Trust(Protocol):
    """Public keys and revocations."""

    @property
    def is_loaded(self) -> bool:
        """True after all pages of the first response of auth_service."""

    def key(self, kid: str) -> Ed25519PublicKey:
        """Return the public key with this id. Raises UnknownKey."""

    def is_revoked(self, claims: Claims) -> bool:
        """Return True if the token was revoked."""


class TokenVerifier:
    """Verifier of access tokens with local keys. It makes no calls."""

    def __init__(self, *, trust: Trust, issuer: str, audience: str, now: Callable[[], float] = time.time) -> None:
        self._trust = trust
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._verified: dict[str, tuple[str, Claims]] = {}

    @property
    def is_ready(self) -> bool:
        """True when there are keys and all revocations. Before, no verdict on a token is possible."""
        return self._trust.is_loaded

    def verify(self, token: str) -> Claims:
        """Return the claims of a token.

        Raises:
            TokenExpired: the token was valid but has expired.
            TokenRevoked: its session ended, or the role, password or state of its user changed.
            Unauthenticated: the token is invalid in any other way. The error does not say which.

        """
        kid, claims = self._verified.get(token) or self._verify_and_cache(token)
        # A withdrawn key invalidates the tokens that it signed, also cached ones.
        self._trust.key(kid)
        if claims.expires_at + LEEWAY_SECONDS <= self._now():
            self._verified.pop(token, None)
            raise TokenExpired
        if self._trust.is_revoked(claims):
            raise TokenRevoked
        return claims

    def _verify_and_cache(self, token: str) -> tuple[str, Claims]:
        checked = self._check(token)
        if len(self._verified) >= MAX_CACHED_TOKENS:
            self._verified.clear()
        self._verified[token] = checked
        return checked

    def _check(self, token: str) -> tuple[str, Claims]:
        try:
            header = jwt.get_unverified_header(token)
            # The algorithm is fixed, never taken from the token (RFC 8725 section 3.1). The type excludes other kinds
            # of JWT (3.11). The key comes only from kid (3.10).
            token_type = header.get("typ")
            if token_type not in _TOKEN_TYPES or header.get("alg") != ALGORITHM or _FOREIGN_KEYS & header.keys():
                raise Unauthenticated
            kid = str(header.get("kid", ""))
            payload: Mapping[str, Any] = jwt.decode(
                token,
                self._trust.key(kid),
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                # Presence of exp is checked here; expiry is checked on every call.
                options={"require": _REQUIRED, "strict_aud": True, "verify_exp": False},
            )
            return kid, _read(payload, is_personal=token_type == PERSONAL_TOKEN_TYPE)
        except Unauthenticated:
            raise
        except (jwt.PyJWTError, AttributeError, KeyError, TypeError, ValueError):
            raise Unauthenticated from None


def _read(payload: Mapping[str, Any], *, is_personal: bool) -> Claims:
    issued, expires = payload["iat"], payload["exp"]
    if not (isinstance(issued, int) and isinstance(expires, int) and 0 < expires - issued <= MAX_LIFETIME_SECONDS):
        raise Unauthenticated
    # The type and the claims must agree: neither one alone makes a token of one kind into one of the other.
    if is_personal != ("token_scope" in payload) or (is_personal and payload.get("role") is None):
        raise Unauthenticated
    if "role" in payload:
        role, session, epoch = payload["role"], UUID(payload["sid"]), payload["epoch"]
        scopes: frozenset[str] = frozenset()
    else:
        role, session, epoch = None, None, payload.get("epoch", 0)
        scopes = frozenset(payload["scope"].split())
    if type(epoch) is not int or not (role is None or (isinstance(role, str) and role)):
        raise Unauthenticated
    token_scopes = frozenset(payload["token_scope"].split()) if is_personal else None
    return Claims(UUID(payload["sub"]), expires, role, session, epoch, scopes, token_scopes)
