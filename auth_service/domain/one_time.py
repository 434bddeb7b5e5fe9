"""Secrets that are good once: 256 random bits, of which only the digest is stored."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import ClassVar, Self

from auth_service.domain.errors import InvalidRefreshToken, InvalidResetCode, NotAuthenticated
from chassis.kernel.errors import MissingField

SECRET_BYTES = 32

_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class OneTimeSecret:
    """A secret in base64url. A subclass says what it is called and how a wrong one is refused."""

    value: str = field(repr=False)

    called: ClassVar[str]
    refusal: ClassVar[type[NotAuthenticated]]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a secret; MissingField for none, the refusal for what was never one of ours."""
        if not text:
            raise MissingField(field=cls.called)
        if not _FORM.fullmatch(text):
            raise cls.refusal
        return cls(text)

    @classmethod
    def generate(cls, *, randomness: bytes) -> Self:
        """A new secret out of 32 random bytes."""
        return cls(base64.urlsafe_b64encode(randomness).rstrip(b"=").decode())

    @property
    def digest(self) -> bytes:
        """What is stored and looked up. One fast hash is enough: nobody guesses 256 random bits."""
        return hashlib.sha256(self.value.encode()).digest()


class RefreshToken(OneTimeSecret):
    """What a session is prolonged with."""

    __slots__ = ()
    called = "refresh_token"
    refusal = InvalidRefreshToken


class ResetCode(OneTimeSecret):
    """What an admin hands out to somebody who forgot their password."""

    __slots__ = ()
    called = "reset_code"
    refusal = InvalidResetCode
