"""Encryption at rest, by AES-256-GCM (NIST SP 800-38D)."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auth_service.domain.errors import WrongEncryptionKey

_NONCE_BYTES = 12


class KeyCipher:
    """Seals small secrets under one 256-bit key. What is sealed is bound to a context and opens under no other."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, *, context: bytes) -> bytes:
        """A random nonce, the ciphertext and its tag. Random is safe here: keys are made some times a year."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, context)

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """What was sealed; WrongEncryptionKey under another key or context, or when it was tampered with."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise WrongEncryptionKey from None
