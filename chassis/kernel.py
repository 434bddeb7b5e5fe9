"""The words that the inner rooms of every service share. Standard library only, so that a domain may import it."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from inspect import cleandoc
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

Clock = Callable[[], datetime]
"""Tells the time, always with a time zone."""

NewId = Callable[[], UUID]
"""Makes an id that sorts behind those made before (UUIDv7, RFC 9562 section 5.7)."""

Item = TypeVar("Item")
Other = TypeVar("Other")


class Role(StrEnum):
    """What a person's account may do."""

    USER = "user"
    MANAGER = "manager"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom an access token speaks for: a person, who has a role, or a service, which has scopes."""

    id: UUID
    role: Role | None = None
    scopes: frozenset[str] = frozenset()
    session_id: UUID | None = None
    request_id: str = ""

    @property
    def is_service(self) -> bool:
        return self.role is None

    @property
    def sees_everything(self) -> bool:
        """Whether row-level ownership does not bind this caller: managers, admins, and services within their scopes."""
        return self.role is not Role.USER

    @property
    def actor_role(self) -> str:
        """What history calls the caller: the role, or "service"."""
        return self.role.value if self.role else "service"


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items and the token that the next ones are asked for with, empty on the last page."""

    items: Sequence[Item]
    next_token: str = ""
    token_after: Callable[[int], str] = field(default=lambda _: "", repr=False, compare=False)
    """The token that goes on behind the item in this place, for who can't send all of them at once."""

    def of(self, convert: Callable[[Item], Other]) -> "Page[Other]":
        """The same page of what its items are converted to."""
        return Page([convert(item) for item in self.items], self.next_token, self.token_after)


class DomainError(Exception):
    """The request can't be carried out."""

    # A subclass's docstring is its message; `{name}` in it is filled from the keyword arguments, which become
    # attributes. The reason is the class's name in capitals: BlankTitle is BLANK_TITLE.

    reason: ClassVar[str] = "DOMAIN_ERROR"
    field: str = ""
    retry_after: float | None = None

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        cls.reason = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).upper()

    def __init__(self, **data: object) -> None:
        for name, value in data.items():
            setattr(self, name, value)
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One sentence that the caller can act on."""
        return " ".join(cleandoc(type(self).__doc__ or "").split()).format_map(vars(self))


class Unavailable(DomainError):
    """The service can't do this right now; try again."""

    retry_after = 1.0


class Invalid(DomainError):
    """A value is not acceptable."""

    @property
    def violations(self) -> "tuple[Invalid, ...]":
        """Everything that is wrong, one error a violation."""
        return (self,)


class ValidationErrors(Invalid):
    """{summary}"""  # noqa: D400, D415 - the messages that it joins end in full stops

    def __init__(self, errors: "Sequence[Invalid]") -> None:
        self._errors = tuple(errors)
        super().__init__(summary=" ".join(error.message for error in self._errors[:5]))

    @property
    def violations(self) -> tuple[Invalid, ...]:
        return self._errors


def refuse(errors: "Sequence[Invalid]") -> None:
    """Raises what was collected: nothing for none, the error itself for one."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ValidationErrors(errors)


class MissingField(Invalid):
    """The field {field} is required."""


class MalformedId(Invalid):
    """An id is a UUID such as 0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e."""


class InvalidPageToken(Invalid):
    """The page token does not belong to this list."""

    field = "page_token"


def parse_id(text: str, *, field: str) -> UUID:
    """Reads an id as clients send it.

    Raises:
        MissingField: it is empty.
        MalformedId: it is no UUID in its usual form of 36 characters.

    """
    if not text:
        raise MissingField(field=field)
    try:
        if len(text) != 36:  # noqa: PLR2004 - RFC 9562 section 4; UUID() alone takes braces and urn: as well
            raise ValueError
        return UUID(text)
    except ValueError:
        raise MalformedId(field=field) from None


DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 200


class NegativePageSize(Invalid):
    """A page size is not negative."""

    field = "page_size"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list: how many items and behind which key (AIP-158).

    A token holds the key of the last item and a digest of what the list was asked with, so that it is refused with
    another caller or another query. It is not signed: whoever forges one sees what asking would show anyway.
    """

    size: int
    after: bytes = b""
    bound_to: bytes = b""

    @classmethod
    def read(cls, size: int, token: str, *, bound_to: str) -> "PageRequest":
        """Reads what a client sent; a size of 0 is the default, too large a one is cut.

        Raises:
            NegativePageSize: the size is below 0.
            InvalidPageToken: the token was not made for this list.

        """
        if size < 0:
            raise NegativePageSize
        digest = hashlib.sha256(bound_to.encode()).digest()[:8]
        size = min(size or DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)
        if not token:
            return cls(size, b"", digest)
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raise InvalidPageToken from None
        if raw[:8] != digest or len(raw) == len(digest):
            raise InvalidPageToken
        return cls(size, raw[8:], digest)

    def following(self, page: "Page[Item]") -> "PageRequest":
        """The request for the page behind one that this request was answered with, and that is not the last."""
        raw = base64.urlsafe_b64decode(page.next_token + "=" * (-len(page.next_token) % 4))
        return replace(self, after=raw[len(self.bound_to) :])

    @property
    def after_id(self) -> UUID | None:
        """The key where it is an id; None on the first page. InvalidPageToken for a forged one that is none."""
        if not self.after:
            return None
        if len(self.after) != 16:  # noqa: PLR2004 - a UUID's bytes
            raise InvalidPageToken
        return UUID(bytes=self.after)

    def page(self, rows: Sequence[Item], key: Callable[[Item], bytes]) -> Page[Item]:
        """The page out of up to size + 1 rows; the one too many says that there is a next page."""

        def token_after(place: int) -> str:
            return base64.urlsafe_b64encode(self.bound_to + key(rows[place])).decode().rstrip("=")

        if len(rows) <= self.size:
            return Page(rows, "", token_after)
        return Page(rows[: self.size], token_after(self.size - 1), token_after)
