"""Idempotency key of a request."""

import hashlib
from typing import NamedTuple


class IdempotencyKey(NamedTuple):
    """Key from the client, and a fingerprint of its request."""

    key: str
    fingerprint: bytes

    def with_content(self, digest: bytes) -> "IdempotencyKey":
        """Return the key for a request that also has content outside its message, such as an uploaded file."""
        return IdempotencyKey(self.key, hashlib.sha256(self.fingerprint + digest).digest())
