"""Service accounts: a name, the scopes of its tokens, and the credential that proves its identity."""

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

from auth_service.domain.errors import InvalidServiceName, MalformedServiceCredential, UnknownScope
from chassis.kernel.errors import MissingField
from chassis.kernel.quoting import quote

MAX_NAME_CHARACTERS = 63

_NAME = re.compile(rf"[a-z][a-z0-9_-]{{0,{MAX_NAME_CHARACTERS - 1}}}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class Scope(StrEnum):
    """Permissions of a service. The contract's access options list the scopes that each rpc accepts."""

    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    IMPORTS_WRITE = "imports:write"
    IMPORTS_INGEST = "imports:ingest"
    USERS_READ = "users:read"
    TRUST_READ = "trust:read"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Account of a service. `secret_digest` is the SHA-256 of its secret."""

    id: UUID
    name: str
    scopes: frozenset[Scope]
    secret_digest: bytes = field(repr=False)
    created_at: datetime
    disabled: bool = False
    epoch: int = 0

    def accepts(self, credential: "ServiceCredential") -> bool:
        """Return True if the credential is this account's and the account is not disabled."""
        return self.matches(credential) and not self.disabled

    def matches(self, credential: "ServiceCredential") -> bool:
        """Return True if the credential is this account's. The comparison takes constant time."""
        return hmac.compare_digest(self.secret_digest, credential.digest)


@dataclass(frozen=True, slots=True)
class ServiceCredential:
    """Name and secret of a service, written `<name>.<secret>`."""

    name: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the credential that the text holds.

        Raises:
            MissingField: the text is empty.
            MalformedServiceCredential: the text does not have the required format.

        """
        if not text:
            raise MissingField(field=MalformedServiceCredential.field)
        name, _, secret = text.partition(".")
        if not _NAME.fullmatch(name) or not _SECRET.fullmatch(secret):
            raise MalformedServiceCredential
        return cls(name=name, secret=secret)

    @classmethod
    def generate(cls, name: str, *, random_bytes: bytes) -> Self:
        """Return a new credential made of 32 random bytes; raise InvalidServiceName if the name is invalid."""
        secret = base64.urlsafe_b64encode(random_bytes).rstrip(b"=").decode()
        return cls(name=validate_service_name(name), secret=secret)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret, which is stored. One fast hash is enough: nobody can guess 256 random bits."""
        return hashlib.sha256(self.secret.encode()).digest()

    def reveal(self) -> str:
        """Return the credential as the service sends it, secret included."""
        return f"{self.name}.{self.secret}"


def validate_service_name(text: str) -> str:
    """Return the name unchanged; raise InvalidServiceName if it does not have the required format."""
    if not _NAME.fullmatch(text):
        raise InvalidServiceName
    return text


def parse_scopes(texts: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes of these names; raise UnknownScope for an unknown name, MissingField for no name at all."""
    scopes = frozenset(_parse_scope(text) for text in texts)
    if not scopes:
        raise MissingField(field=UnknownScope.field)
    return scopes


def _parse_scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise UnknownScope(scope=quote(text), known_scopes=", ".join(Scope)) from None
