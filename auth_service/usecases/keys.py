"""Signing keys: having one, replacing it, and publishing them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from auth_service.domain.errors import RotationUnderway
from auth_service.domain.events import EventKind
from auth_service.domain.keys import SigningKey, signing_key
from auth_service.usecases.events import EventLog
from auth_service.usecases.ports import Begin, Read
from auth_service.usecases.token_ports import Signer
from chassis.kernel.clock import Clock

KEYS = "auth.signing_keys"


@dataclass(frozen=True, slots=True)
class EnsureSigningKey:
    """Makes the first signing key. Safe to run again, and in two processes at once."""

    begin: Begin
    signer: Signer
    now: Clock

    async def __call__(self) -> SigningKey:
        """The key that signs now; WrongEncryptionKey when this process can't sign with it."""
        async with self.begin() as work:
            await work.alone(KEYS)
            key = signing_key(await work.keys.all(), self.now())
            if key is None:
                key = self.signer.generate(self.now())
                await work.keys.add(key)
                await work.commit()
        self.signer.check(key)
        return key


@dataclass(frozen=True, slots=True)
class RotateKeys:
    """Replaces the signing key: published now, signing once everybody knows it, the old one believed until the end.

    `published_for` is how long a key is known before it signs, `believed_for` how long a token can live.
    """

    begin: Begin
    signer: Signer
    events: EventLog
    published_for: timedelta
    believed_for: timedelta
    now: Clock

    async def __call__(self, *, compromised: bool = False) -> SigningKey:
        """The new key; RotationUnderway while the last one has not begun to sign."""
        now = self.now()
        activates_at = now if compromised else now + self.published_for
        retires_at = now if compromised else activates_at + self.believed_for
        async with self.begin() as work:
            await work.alone(KEYS)
            believed = [key for key in await work.keys.all() if key.is_believed(now)]
            if not compromised and any(key.activates_at > now for key in believed):
                raise RotationUnderway
            key = replace(self.signer.generate(now), activates_at=activates_at)
            await work.keys.add(key)
            for old in believed:
                if old.retires_at is None or retires_at < old.retires_at:
                    await work.keys.retire(old.kid, retires_at=retires_at)
            kind = EventKind.KEY_REPLACED if compromised else EventKind.KEY_ROTATED
            await self.events.record(work, kind, actor=None, subject=None, kid=key.kid)
            await work.commit()
        return key


@dataclass(frozen=True, slots=True)
class GetPublicKeys:
    """Publishes the keys that a token may be signed with, those that have not begun to sign included."""

    read: Read
    now: Clock

    async def __call__(self) -> Sequence[SigningKey]:
        """The keys, newest first."""
        async with self.read() as reading:
            return [key for key in await reading.keys.all() if key.is_believed(self.now())]
