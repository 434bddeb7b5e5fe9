"""Encryption of signing keys at rest, by AES-256-GCM (NIST SP 800-38D)."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auth_service.domain.errors import WrongEncryptionKey

_NONCE_BYTES = 12


class KeyCipher:
    """Authenticated encryption of small secrets with a 256-bit key. A sealed secret opens only in its own context."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, *, context: bytes) -> bytes:
        """Return nonce, ciphertext and tag. A random nonce is safe here, because only a few keys are made each year."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, context)

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """Return the secret; raise WrongEncryptionKey for another key or context, or if the ciphertext was changed."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise WrongEncryptionKey from None
