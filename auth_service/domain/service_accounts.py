"""A service's identity: a name, what it may do, and the credential that proves it."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from auth_service.domain.errors import InvalidServiceName, UnknownScope, WeakServiceCredential
from chassis.kernel.errors import MissingField

SECRET_BYTES = 32

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class Scope(StrEnum):
    """What a service may be allowed. The contract says which calls each one opens."""

    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    IMPORTS_WRITE = "imports:write"
    IMPORTS_INGEST = "imports:ingest"
    USERS_READ = "users:read"
    TRUST_READ = "trust:read"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service that may ask for tokens. `secret_digest` is the SHA-256 of its secret."""

    id: UUID
    name: str
    scopes: frozenset[Scope]
    secret_digest: bytes = field(repr=False)
    created_at: datetime
    disabled: bool = False
    epoch: int = 0

    def accepts(self, credential: "ServiceCredential") -> bool:
        """Whether the credential is this account's and the account is in use."""
        return self.knows(credential) and not self.disabled

    def knows(self, credential: "ServiceCredential") -> bool:
        """Whether the credential is this account's. Takes the same time either way."""
        return hmac.compare_digest(self.secret_digest, credential.digest)


@dataclass(frozen=True, slots=True)
class ServiceCredential:
    """A name and a secret, written `<name>.<secret>`."""

    name: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a credential.

        Raises:
            MissingField: it is empty.
            WeakServiceCredential: it is not in the form that ours are in.

        """
        if not text:
            raise MissingField(field=WeakServiceCredential.field)
        name, _, secret = text.partition(".")
        if not _NAME.fullmatch(name) or not _SECRET.fullmatch(secret):
            raise WeakServiceCredential
        return cls(name=name, secret=secret)

    @classmethod
    def generate(cls, name: str, *, randomness: bytes) -> Self:
        """A new credential out of 32 random bytes."""
        return cls(name=accept_service_name(name), secret=base64.urlsafe_b64encode(randomness).rstrip(b"=").decode())

    @property
    def digest(self) -> bytes:
        """What is stored. One fast hash is enough: nobody guesses 256 random bits, as they do passwords."""
        return hashlib.sha256(self.secret.encode()).digest()

    def reveal(self) -> str:
        """The credential as its service has to send it."""
        return f"{self.name}.{self.secret}"


def accept_service_name(text: str) -> str:
    """The name, or InvalidServiceName."""
    if not _NAME.fullmatch(text):
        raise InvalidServiceName
    return text


def accept_scopes(texts: Iterable[str]) -> frozenset[Scope]:
    """The scopes of these names, at least one; UnknownScope for any other name."""
    scopes = frozenset(_accept_scope(text) for text in texts)
    if not scopes:
        raise MissingField(field=UnknownScope.field)
    return scopes


def _accept_scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise UnknownScope(scope=repr(text), known=", ".join(Scope)) from None
