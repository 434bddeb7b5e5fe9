"""Generation of Ed25519 keys (RFC 8032) and signing of JWTs with them (RFC 8037)."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth_service.crypto.cipher import KeyCipher
from auth_service.domain.signing_keys import SigningKey
from chassis.tokens import ALGORITHM, PERSONAL_TOKEN_TYPE, TOKEN_TYPE


class Ed25519Signer:
    """Signer of JWTs. It caches each private key after decrypting it once."""

    def __init__(self, cipher: KeyCipher) -> None:
        self._cipher = cipher
        self._private_keys: dict[str, Ed25519PrivateKey] = {}

    def generate(self, now: datetime) -> SigningKey:
        """Return a new key that is active from now on. Its private key is encrypted."""
        private_key = Ed25519PrivateKey.generate()
        public_key = private_key.public_key().public_bytes_raw()
        kid = thumbprint(public_key)
        return SigningKey(
            kid=kid,
            public_key=public_key,
            encrypted_private_key=self._cipher.encrypt(private_key.private_bytes_raw(), associated_data=kid.encode()),
            created_at=now,
            activates_at=now,
        )

    def ensure_decryptable(self, key: SigningKey) -> None:
        """Raise WrongEncryptionKey if the private key cannot be decrypted."""
        self._private_key(key)

    def sign(self, key: SigningKey, claims: Mapping[str, Any], *, is_personal: bool = False) -> str:
        """Return the claims as a signed JWT. Its header holds the token type and the key id."""
        headers = {"typ": PERSONAL_TOKEN_TYPE if is_personal else TOKEN_TYPE, "kid": key.kid}
        return jwt.encode(dict(claims), self._private_key(key), algorithm=ALGORITHM, headers=headers)

    def _private_key(self, key: SigningKey) -> Ed25519PrivateKey:
        private_key = self._private_keys.get(key.kid)
        if private_key is None:
            secret = self._cipher.decrypt(key.encrypted_private_key, associated_data=key.kid.encode())
            private_key = self._private_keys[key.kid] = Ed25519PrivateKey.from_private_bytes(secret)
        return private_key


def thumbprint(public_key: bytes) -> str:
    """Return the JWK thumbprint of a key, which is its kid (RFC 7638, RFC 8037 appendix A.3)."""
    x = base64.urlsafe_b64encode(public_key).rstrip(b"=").decode()
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()
