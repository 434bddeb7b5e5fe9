"""Limits on the head of a request: its request line, its header lines, its Host and its Transfer-Encoding."""

import re
from collections.abc import Sequence

from gateway.transport.asgi import header_values
from gateway.transport.errors import http_errors
from gateway.transport.errors.http_errors import HttpError

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100

# RFC 9110 section 7.2: a host and an optional port; empty if the target has no authority.
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")


class HeaderLimits:
    """Counter of one request's URL, headers and trailers."""

    def __init__(self) -> None:
        self._headers = 0
        self._bytes = 0

    def add_url(self, fragment: bytes) -> None:
        """Count a fragment of the URL. Raises HttpError over the limit."""
        self._bytes += len(fragment)
        if self._bytes > MAX_HEAD_BYTES:
            raise http_errors.url_too_long(MAX_HEAD_BYTES)

    def add_header(self, name: bytes, value: bytes) -> None:
        """Count a header line. Raises HttpError over a limit."""
        self._headers += 1
        self._bytes += len(name) + len(value) + len(b": \r\n")
        if self._headers > MAX_HEADERS or self._bytes > MAX_HEAD_BYTES:
            raise headers_too_large()


def headers_too_large() -> HttpError:
    """Return the 431 with the limits."""
    return http_errors.headers_too_large(MAX_HEADERS, MAX_HEAD_BYTES)


def check_host(http_version: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raise HttpError unless the request has exactly one valid Host (RFC 9112 section 3.2).

    With two of them, a proxy in front could use one and the server behind it the other.
    """
    hosts = header_values(headers, b"host")
    if (not hosts and http_version == "1.1") or len(hosts) > 1:
        raise http_errors.invalid_host()
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise http_errors.invalid_host()


def check_transfer_encoding(http_version: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raise HttpError for a transfer coding other than chunked, or for any coding in HTTP/1.0 (RFC 9112 section 6.1).

    The parser looks only at the last coding, so that a compressed body would be read as it is.
    """
    encodings = [value.strip().lower() for value in header_values(headers, b"transfer-encoding")]
    if not encodings:
        return
    if http_version != "1.1":
        raise http_errors.malformed_http()
    if encodings != [b"chunked"]:
        raise http_errors.unsupported_transfer_encoding()
