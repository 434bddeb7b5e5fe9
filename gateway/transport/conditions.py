"""The headers that say under which conditions a request is meant, and the answer's entity tag (RFC 9110 section 13)."""

import hashlib
import re
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.transcoding.http_rules import Binding
from gateway.transcoding.places import ETAG, KEY, is_text, places_of
from gateway.transport import failure
from gateway.transport.incoming import Incoming

_STRONG = re.compile(rb'"([\x21\x23-\x7e]*)"')


class RequestConditions:
    """Puts Idempotency-Key and If-Match where the contract has a place for them; compiled once for a binding."""

    def __init__(self, binding: Binding, request: Descriptor) -> None:
        self._places = places_of(binding, request)

    def apply(self, request: Any, incoming: Incoming) -> bool:
        """Fills the fields; whether an entity tag came as If-Match.

        Raises:
            Failure: a header can't be read, or contradicts what the request itself says.

        """
        if self._places.takes_key and (text := _text(incoming, "idempotency-key")):
            _fill(request, KEY, text, "idempotency-key")
        if not self._places.takes_etag:
            return False
        value = incoming.header(b"if-match").strip()
        if not value or value == b"*":  # whatever stands there now; that it exists is checked anyway
            return False
        tag = _STRONG.fullmatch(value)
        if tag is None:
            raise failure.malformed_etag()
        holder = getattr(request, self._places.resource) if self._places.resource else request
        _fill(holder, ETAG, tag[1].decode(), "if-match")
        return True


class AnswerTag:
    """The entity tag of an answer: the resource's own, or a digest of the text where it has none."""

    def __init__(self, answer: Descriptor) -> None:
        self._has_etag = is_text(answer, ETAG)

    def of(self, answer: Any, body: bytes, *, digest: bool) -> bytes:
        """The header's value; empty for an answer without a tag of its own that is not to be digested."""
        if self._has_etag and answer.etag:
            return b'"%b"' % answer.etag.encode()
        if not digest:
            return b""
        return b'W/"%b"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()


def matches(if_none_match: bytes, tag: bytes) -> bool:
    """Whether the client has this answer already: the weak comparison (RFC 9110 sections 8.8.3.2 and 13.1.2)."""
    if not if_none_match:
        return False
    if if_none_match.strip() == b"*":
        return True
    mine = tag.removeprefix(b"W/")
    return any(one.strip().removeprefix(b"W/") == mine for one in if_none_match.split(b","))


def _text(incoming: Incoming, name: str) -> str:
    found = {value for key, value in incoming.headers if key == name.encode()}
    if len(found) > 1:
        raise failure.malformed_header(name)
    try:
        return next(iter(found), b"").decode("ascii")
    except UnicodeDecodeError:
        raise failure.malformed_header(name) from None


def _fill(message: Any, field: str, value: str, header: str) -> None:
    if getattr(message, field) not in {"", value}:
        raise failure.contradicting_header(header)
    setattr(message, field, value)
