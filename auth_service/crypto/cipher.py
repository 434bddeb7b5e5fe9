"""Encryption of signing keys at rest, by AES-256-GCM (NIST SP 800-38D)."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auth_service.domain.errors import WrongEncryptionKey

_NONCE_BYTES = 12


class KeyCipher:
    """Authenticated encryption of small secrets with a 256-bit key. Decryption needs the same associated data."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, secret: bytes, *, associated_data: bytes) -> bytes:
        """Return nonce, ciphertext and tag. A random nonce is safe here, because only a few keys are made each year."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, associated_data)

    def decrypt(self, encrypted: bytes, *, associated_data: bytes) -> bytes:
        """Return the secret; raise WrongEncryptionKey if the key, associated data or ciphertext differ."""
        try:
            return self._cipher.decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], associated_data)
        except (InvalidTag, ValueError):
            raise WrongEncryptionKey from None
