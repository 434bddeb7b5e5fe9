"""What the head of a request may be: its request line and header lines, before any application sees them."""

import re
from collections.abc import Sequence

from gateway.transport import failure

MOST_BYTES = 64 * 1024
MOST_HEADERS = 100

# RFC 9110 section 7.2: a host and perhaps a port; empty where the target has no authority.
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")


class Size:
    """How large a head has become, its trailers included."""

    def __init__(self) -> None:
        self._headers = 0
        self._bytes = 0

    def add_target(self, piece: bytes) -> None:
        """Counts a piece of the request's target. Raises Failure for too much."""
        self._bytes += len(piece)
        if self._bytes > MOST_BYTES:
            raise failure.target_too_long(MOST_BYTES)

    def add_header(self, name: bytes, value: bytes) -> None:
        """Counts a header line. Raises Failure for too much."""
        self._headers += 1
        self._bytes += len(name) + len(value) + len(b": \r\n")
        if self._headers > MOST_HEADERS or self._bytes > MOST_BYTES:
            raise too_large()


def too_large() -> failure.Failure:
    """The answer to header lines over the limits."""
    return failure.headers_too_large(MOST_HEADERS, MOST_BYTES)


def check_host(http_version: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raises Failure unless the request says for whom it is, once and readably (RFC 9112 section 3.2).

    Two of them are how a proxy in front is made to believe one thing and the server behind it another.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if (not hosts and http_version == "1.1") or len(hosts) > 1:
        raise failure.wrong_host()
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise failure.wrong_host()
