"""Idempotency key in a request message."""

import hashlib

from google.protobuf.message import Message

from task_service.idempotency.errors import InvalidIdempotencyKey
from task_service.idempotency.key import IdempotencyKey

MAX_KEY_CHARACTERS = 128


def idempotency_key_from_proto(request: Message) -> IdempotencyKey | None:
    """Return the request's key with a fingerprint of all its other fields; None without a key.

    Raises:
        InvalidIdempotencyKey: the key is too long, or has other characters than visible ASCII.

    """
    key: str = getattr(request, "idempotency_key")  # noqa: B009 - every mutation has the field, Message has not
    if not key:
        return None
    if len(key) > MAX_KEY_CHARACTERS or not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidIdempotencyKey(limit=MAX_KEY_CHARACTERS)
    without_key = type(request)()
    without_key.CopyFrom(request)
    without_key.ClearField("idempotency_key")
    content = without_key.DESCRIPTOR.full_name.encode() + b" " + without_key.SerializeToString(deterministic=True)
    return IdempotencyKey(key, hashlib.sha256(content).digest())
