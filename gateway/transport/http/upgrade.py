"""Requests that ask for another protocol. None is offered, so that they are served as if they did not ask."""

from collections.abc import Sequence

from gateway.transport.errors import http_errors


def head_without_upgrade(method: bytes, url: bytes, http_version: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the bytes of a head without its Upgrade (RFC 9110 section 7.8). Raises HttpError for CONNECT.

    The parser treats CONNECT as an upgrade even without an Upgrade header.
    """
    if method == b"CONNECT":
        raise http_errors.malformed_http()
    lines = [b"%b %b HTTP/%b" % (method, url, http_version.encode())]
    lines += [b"%b: %b" % header for header in headers if header[0] != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])
