"""Signing keys, the time in which each one signs, and the time in which its tokens are valid."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Ed25519 key pair with an encrypted private key.

    A key is published from the moment it is stored. It signs from `activates_at` until a newer key becomes active,
    and verifies tokens until `retires_at`. Publish first and sign later, and retire a key only after the last token
    that it signed has expired.
    """

    kid: str
    public_key: bytes
    encrypted_private_key: bytes = field(repr=False)
    created_at: datetime
    activates_at: datetime
    retires_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return True if tokens that this key signed may still be valid."""
        return self.retires_at is None or now < self.retires_at

    def is_active(self, now: datetime) -> bool:
        """Return True if this key may sign: it has become active and has not retired."""
        return self.activates_at <= now and self.is_valid(now)


def current_signing_key(keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
    """Return the key that signs now, the newest active one; None if no key is active."""
    return max((key for key in keys if key.is_active(now)), key=lambda key: key.activates_at, default=None)
