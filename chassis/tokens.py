"""Access tokens: what they say, and whether to believe them (RFC 7519, RFC 8725, RFC 9068)."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.kernel.errors import DomainError
from task_service.access import Role

ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - the header's typ, RFC 9068 section 2.1
MAX_LIFETIME_SECONDS = 3600
"""Seconds. A token that claims to live longer was not made by us, whatever its signature says."""
LEEWAY = 5
"""Seconds by which two machines' clocks may differ."""
_FOREIGN_KEYS = {"crit", "jku", "jwk", "x5u", "x5c"}
_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti"]
REMEMBERED = 20_000
"""Verified tokens kept, so that a call costs a look-up and not a signature."""


class Unauthenticated(DomainError):
    """A valid access token is required."""


class TokenExpired(Unauthenticated):
    """The access token has expired."""


class TokenRevoked(Unauthenticated):
    """The access token has been revoked."""


class UnknownKey(Unauthenticated):
    """A valid access token is required."""


# For a stranger the same as any bad token: whether a key exists is not theirs to learn.
UnknownKey.reason = Unauthenticated.reason


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. A person's has role, session and epoch; a service's scopes and epoch."""

    subject: UUID
    expires_at: int
    role: Role | None
    session_id: UUID | None
    epoch: int
    scopes: frozenset[str]


class Trust(Protocol):
    """What is known of keys and revocations."""

    def key(self, kid: str) -> Ed25519PublicKey:
        """The public key of this name; UnknownKey when there is none."""

    def is_revoked(self, claims: Claims) -> bool:
        """Whether the token was ended before its time."""


class TokenVerifier:
    """Verifies access tokens with keys at hand. No call leaves the process."""

    def __init__(self, *, trust: Trust, issuer: str, audience: str, now: Callable[[], float] = time.time) -> None:
        self._trust = trust
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._verified: dict[str, tuple[str, Claims]] = {}

    def verify(self, token: str) -> Claims:
        """The token's claims.

        Raises:
            TokenExpired: it was good once.
            TokenRevoked: its session ended, or its user's role, password or state changed since.
            Unauthenticated: it is anything else than a token of ours; the answer does not say what.

        """
        kid, claims = self._verified.get(token) or self._remember(token)
        # A key that is withdrawn takes down what it signed, remembered or not.
        self._trust.key(kid)
        if claims.expires_at + LEEWAY <= self._now():
            self._verified.pop(token, None)
            raise TokenExpired
        if self._trust.is_revoked(claims):
            raise TokenRevoked
        return claims

    def _remember(self, token: str) -> tuple[str, Claims]:
        checked = self._check(token)
        if len(self._verified) >= REMEMBERED:
            self._verified.clear()
        self._verified[token] = checked
        return checked

    def _check(self, token: str) -> tuple[str, Claims]:
        try:
            header = jwt.get_unverified_header(token)
            # The algorithm is ours to say, never the token's (RFC 8725 section 3.1); the type keeps other JWTs out
            # (3.11); a key comes from no header but kid (3.10).
            if (header.get("typ"), header.get("alg")) != (TOKEN_TYPE, ALGORITHM) or _FOREIGN_KEYS & header.keys():
                raise Unauthenticated
            kid = str(header.get("kid", ""))
            payload: Mapping[str, Any] = jwt.decode(
                token,
                self._trust.key(kid),
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                # Expiry is looked at on each call, here only that it is said.
                options={"require": _REQUIRED, "strict_aud": True, "verify_exp": False},
            )
            return kid, _read(payload)
        except Unauthenticated:
            raise
        except (jwt.PyJWTError, AttributeError, KeyError, TypeError, ValueError):
            raise Unauthenticated from None


def _read(payload: Mapping[str, Any]) -> Claims:
    issued, expires = payload["iat"], payload["exp"]
    if not (isinstance(issued, int) and isinstance(expires, int) and 0 < expires - issued <= MAX_LIFETIME_SECONDS):
        raise Unauthenticated
    if "role" in payload:
        role, session, epoch = Role(payload["role"]), UUID(payload["sid"]), payload["epoch"]
        scopes: frozenset[str] = frozenset()
    else:
        role, session, epoch = None, None, payload.get("epoch", 0)
        scopes = frozenset(payload["scope"].split())
    if type(epoch) is not int:
        raise Unauthenticated
    return Claims(UUID(payload["sub"]), expires, role, session, epoch, scopes)
