"""Signing keys and signatures: Ed25519 (RFC 8032), as JWS has it (RFC 8037)."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth_service.crypto.cipher import KeyCipher
from auth_service.domain.keys import SigningKey
from chassis.tokens import ALGORITHM, TOKEN_TYPE


class Ed25519Signer:
    """Makes keys, and signs with those that its cipher opens."""

    def __init__(self, cipher: KeyCipher) -> None:
        self._cipher = cipher
        self._opened: dict[str, Ed25519PrivateKey] = {}

    def generate(self, now: datetime) -> SigningKey:
        """A new key that signs from now on, its private half sealed."""
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        kid = thumbprint(public)
        return SigningKey(
            kid=kid,
            public_key=public,
            sealed_private_key=self._cipher.seal(private.private_bytes_raw(), context=kid.encode()),
            created_at=now,
            activates_at=now,
        )

    def check(self, key: SigningKey) -> None:
        """Returns for a key that can be opened; WrongEncryptionKey for another."""
        self._open(key)

    def sign(self, key: SigningKey, claims: Mapping[str, Any]) -> str:
        """The claims as a JWT whose header says what it is and which key made it."""
        headers = {"typ": TOKEN_TYPE, "kid": key.kid}
        return jwt.encode(dict(claims), self._open(key), algorithm=ALGORITHM, headers=headers)

    def _open(self, key: SigningKey) -> Ed25519PrivateKey:
        opened = self._opened.get(key.kid)
        if opened is None:
            secret = self._cipher.open(key.sealed_private_key, context=key.kid.encode())
            opened = self._opened[key.kid] = Ed25519PrivateKey.from_private_bytes(secret)
        return opened


def thumbprint(public_key: bytes) -> str:
    """The key's name: its JWK thumbprint (RFC 7638, RFC 8037 appendix A.3)."""
    x = base64.urlsafe_b64encode(public_key).rstrip(b"=").decode()
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()
