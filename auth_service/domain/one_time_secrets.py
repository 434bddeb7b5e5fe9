"""Secrets that can be used once: 256 random bits, of which only the digest is stored."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import ClassVar, Self

from auth_service.domain.errors import InvalidRefreshToken, InvalidResetCode, NotAuthenticated
from chassis.kernel.errors import MissingField

SECRET_BYTES = 32

_FORMAT = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class OneTimeSecret:
    """Secret in base64url. A subclass sets the field that clients send it in and the error for an invalid one."""

    value: str = field(repr=False)

    field_name: ClassVar[str]
    invalid_error: ClassVar[type[NotAuthenticated]]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the secret; raise MissingField for an empty text, `invalid_error` for a malformed one."""
        if not text:
            raise MissingField(field=cls.field_name)
        if not _FORMAT.fullmatch(text):
            raise cls.invalid_error
        return cls(text)

    @classmethod
    def generate(cls, *, random_bytes: bytes) -> Self:
        """Return a new secret made of 32 random bytes."""
        return cls(base64.urlsafe_b64encode(random_bytes).rstrip(b"=").decode())

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret, which is stored. One fast hash is enough: nobody can guess 256 random bits."""
        return hashlib.sha256(self.value.encode()).digest()


class RefreshToken(OneTimeSecret):
    """Secret that renews the tokens of a session."""

    __slots__ = ()
    field_name = "refresh_token"
    invalid_error = InvalidRefreshToken


class ResetCode(OneTimeSecret):
    """Secret that sets a new password. An admin hands it to a person who forgot theirs."""

    __slots__ = ()
    field_name = "reset_code"
    invalid_error = InvalidResetCode
