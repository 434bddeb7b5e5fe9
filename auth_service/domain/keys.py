"""Signing keys: when one signs, when one is believed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key pair, its private half encrypted.

    It is published from the moment it is stored, signs from activates_at on until a newer one does, and is believed
    until retires_at: publish first, sign later, and retire only when the last token it signed is dead.
    """

    kid: str
    public_key: bytes
    sealed_private_key: bytes = field(repr=False)
    created_at: datetime
    activates_at: datetime
    retires_at: datetime | None = None

    def is_believed(self, now: datetime) -> bool:
        """Whether tokens signed with it may still be good."""
        return self.retires_at is None or now < self.retires_at

    def may_sign(self, now: datetime) -> bool:
        """Whether it has begun, and has not ended."""
        return self.activates_at <= now and self.is_believed(now)


def signing_key(keys: Sequence[SigningKey], now: datetime) -> SigningKey | None:
    """The key that signs now: the newest that has begun. None when there is none at all."""
    return max((key for key in keys if key.may_sign(now)), key=lambda key: key.activates_at, default=None)
