"""Creating, rotating and publishing signing keys."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from auth_service.domain.errors import RotationUnderway
from auth_service.domain.security_events import SecurityEventKind
from auth_service.domain.signing_keys import SigningKey, current_signing_key
from auth_service.usecases.ports import Begin, Read, Signer
from auth_service.usecases.security_events import SecurityEventRecorder
from chassis.kernel.clock import Clock

SIGNING_KEYS_LOCK = "auth.signing_keys"


@dataclass(frozen=True, slots=True)
class EnsureSigningKey:
    """Create the first signing key if none is active. Repeated and concurrent calls create one key."""

    read: Read
    begin: Begin
    signer: Signer
    now: Clock

    async def __call__(self) -> SigningKey:
        """Return the current signing key; raise WrongEncryptionKey if this process cannot sign with it."""
        async with self.read() as repositories:  # a read-only service starts too
            key = current_signing_key(await repositories.signing_keys.list_all(), self.now())
        key = key or await self._create()
        self.signer.ensure_decryptable(key)
        return key

    async def _create(self) -> SigningKey:
        async with self.begin() as work:
            await work.serialize(SIGNING_KEYS_LOCK)
            key = current_signing_key(await work.signing_keys.list_all(), self.now())
            if key is None:
                key = self.signer.generate(self.now())
                await work.signing_keys.add(key)
                await work.commit()
        return key


@dataclass(frozen=True, slots=True)
class RotateSigningKey:
    """Replace the signing key.

    The new key is published at once and signs after `publication_time`, when every verifier knows it. The old key
    verifies tokens for `max_token_lifetime` longer, until the last token that it signed has expired.
    """

    begin: Begin
    signer: Signer
    events: SecurityEventRecorder
    publication_time: timedelta
    max_token_lifetime: timedelta
    now: Clock

    async def __call__(self, *, compromised: bool = False) -> SigningKey:
        """Return the new key; raise RotationUnderway while the last new key is not active yet.

        A compromised key is replaced at once: the new key signs from now on, and tokens of the old ones are invalid.
        """
        now = self.now()
        activates_at = now if compromised else now + self.publication_time
        retires_at = now if compromised else activates_at + self.max_token_lifetime
        async with self.begin() as work:
            await work.serialize(SIGNING_KEYS_LOCK)
            valid_keys = [key for key in await work.signing_keys.list_all() if key.is_valid(now)]
            if not compromised and any(key.activates_at > now for key in valid_keys):
                raise RotationUnderway
            new_key = replace(self.signer.generate(now), activates_at=activates_at)
            await work.signing_keys.add(new_key)
            for key in valid_keys:
                if key.retires_at is None or retires_at < key.retires_at:
                    await work.signing_keys.retire(key.kid, retires_at=retires_at)
            kind = SecurityEventKind.KEY_REPLACED if compromised else SecurityEventKind.KEY_ROTATED
            await self.events.record(work, kind, actor=None, subject=None, kid=new_key.kid)
            await work.commit()
        return new_key


@dataclass(frozen=True, slots=True)
class GetPublicKeys:
    """List the keys that verify access tokens, including keys that are not active yet."""

    read: Read
    now: Clock

    async def __call__(self) -> Sequence[SigningKey]:
        """Return the valid keys, newest first."""
        async with self.read() as repositories:
            return [key for key in await repositories.signing_keys.list_all() if key.is_valid(self.now())]
