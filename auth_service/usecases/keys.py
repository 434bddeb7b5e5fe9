"""Signing keys: having one, and publishing them."""

from collections.abc import Sequence
from dataclasses import dataclass

from auth_service.domain.keys import SigningKey, signing_key
from auth_service.usecases.ports import Begin, Read, Signer
from chassis.kernel import Clock


@dataclass(frozen=True, slots=True)
class EnsureSigningKey:
    """Makes the first signing key. Safe to run again, and in two processes at once."""

    begin: Begin
    signer: Signer
    now: Clock

    async def __call__(self) -> SigningKey:
        """The key that signs now; WrongEncryptionKey when this process can't sign with it."""
        async with self.begin() as work:
            await work.alone("auth.signing_keys")
            key = signing_key(await work.keys.all(), self.now())
            if key is None:
                key = self.signer.generate(self.now())
                await work.keys.add(key)
                await work.commit()
        self.signer.check(key)
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
