"""Keyset pagination (AIP-158): pages, page tokens and page sizes."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar
from uuid import UUID

from chassis.kernel.errors import Invalid

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
FINGERPRINT_BYTES = 8
UUID_BYTES = 16

Item = TypeVar("Item")
Other = TypeVar("Other")


class InvalidPageToken(Invalid):
    """The page token does not belong to this list. Use the next_page_token of the same query, or none."""

    field = "page_token"


class NegativePageSize(Invalid):
    """A page size must be 0 or more. 0 is the default size."""

    field = "page_size"


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items of one page, and the token of the next page; the token is empty on the last page."""

    items: Sequence[Item]
    next_token: str = ""
    token_after: Callable[[int], str] = field(default=lambda _: "", repr=False, compare=False)
    """Return the token that continues after the item at this index, for a response that can't hold all items."""

    def map(self, convert: Callable[[Item], Other]) -> "Page[Other]":
        """Return the page with every item converted."""
        return Page([convert(item) for item in self.items], self.next_token, self.token_after)


@dataclass(frozen=True, slots=True)
class Section(Generic[Item]):
    """Result of reading a bounded part of a list: the matching items, and where the next part begins."""

    items: Sequence[Item]
    end: bytes
    """Key of the last row that was read; empty if the items fill the page or the list has ended."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Requested page: number of items, and the key of the last item of the previous page.

    A token holds that key and a fingerprint of the query, so a token of another caller or another query is refused. It
    is not signed: forging one shows nothing that a query would not show.
    """

    size: int
    after: bytes = b""
    query_fingerprint: bytes = b""

    @classmethod
    def parse(cls, size: int, page_token: str, *, query: str) -> "PageRequest":
        """Parse and check a page token and a page size. 0 is the default size; a larger one is cut to the maximum.

        `query` is the text of the caller and the query. It must be equal for all pages of a list.

        Raises:
            NegativePageSize: the size is below 0.
            InvalidPageToken: the token was created for another list.

        """
        if size < 0:
            raise NegativePageSize
        fingerprint = hashlib.sha256(query.encode()).digest()[:FINGERPRINT_BYTES]
        size = min(size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        if not page_token:
            return cls(size, b"", fingerprint)
        try:
            raw = _decode(page_token)
        except (binascii.Error, ValueError):
            raise InvalidPageToken from None
        if raw[:FINGERPRINT_BYTES] != fingerprint or len(raw) == FINGERPRINT_BYTES:
            raise InvalidPageToken
        return cls(size, raw[FINGERPRINT_BYTES:], fingerprint)

    def next_request(self, page: "Page[Item]") -> "PageRequest":
        """Return the request for the next page. `page` is the result of this request, and not the last page."""
        return replace(self, after=_decode(page.next_token)[len(self.query_fingerprint) :])

    @property
    def after_id(self) -> UUID | None:
        """The key as an id; None on the first page. Raises InvalidPageToken when a forged key is no id."""
        if not self.after:
            return None
        if len(self.after) != UUID_BYTES:
            raise InvalidPageToken
        return UUID(bytes=self.after)

    def page(self, rows: Sequence[Item], key: Callable[[Item], bytes], *, searched_to: bytes = b"") -> Page[Item]:
        """Return the page for up to size + 1 rows. An extra row means that there is a next page.

        `searched_to` is the key at which the search for rows stopped early. The next page continues there.
        """

        def token(after: bytes) -> str:
            return base64.urlsafe_b64encode(self.query_fingerprint + after).decode().rstrip("=")

        def token_after(index: int) -> str:
            return token(key(rows[index]))

        if len(rows) > self.size:
            return Page(rows[: self.size], token_after(self.size - 1), token_after)
        return Page(rows, token(searched_to) if searched_to else "", token_after)


def _decode(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
