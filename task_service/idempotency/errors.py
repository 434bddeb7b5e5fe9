"""Errors of idempotency keys. A docstring is the message that the client reads."""

from chassis.kernel.errors import DomainError, Invalid


class InvalidIdempotencyKey(Invalid):
    """An idempotency key must have 1 to {limit} visible ASCII characters."""

    field = "idempotency_key"


class IdempotencyKeyReused(DomainError):
    """The idempotency key was used with a different request. Use a new key for a new request."""

    field = "idempotency_key"
