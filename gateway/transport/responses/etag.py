"""Entity tags of responses (RFC 9110 section 8.8.3)."""

from hashlib import sha256
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.transcoding.http.header_fields import ETAG, has_string_field


class ETagBuilder:
    """Builder of the ETag of one response type: the `etag` of the resource, or a digest of the body if it has none."""

    def __init__(self, response: Descriptor) -> None:
        self._has_etag = has_string_field(response, ETAG)

    def build(self, response: Any, body: bytes, *, use_digest: bool) -> bytes:
        """Return the header's value; empty for a resource without an etag if `use_digest` is False."""
        if self._has_etag and response.etag:
            return b'"%b"' % response.etag.encode()
        if not use_digest:
            return b""
        # With the processors' own instructions, SHA-256 takes half the time of BLAKE2.
        return b'W/"%b"' % sha256(body).hexdigest()[:24].encode()


def etag_matches(if_none_match: bytes, etag: bytes) -> bool:
    """Return True if the client has this response: the weak comparison (RFC 9110 sections 8.8.3.2 and 13.1.2)."""
    if not if_none_match:
        return False
    if if_none_match.strip() == b"*":
        return True
    opaque_tag = etag.removeprefix(b"W/")
    return any(tag.strip().removeprefix(b"W/") == opaque_tag for tag in if_none_match.split(b","))
