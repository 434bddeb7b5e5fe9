"""Sending of responses, with the headers that say who may cache them."""

from typing import Any

from gateway.transport.asgi import Send
from gateway.transport.errors.http_errors import Headers

# By default no cache may store a response. It belongs to one person and may hold a token, a code or a credential
# (RFC 6749 section 5.1). Without Cache-Control, a cache may guess how long even a 404 stays fresh (RFC 9111 section
# 4.2.2). nosniff keeps a browser from running a script that it detects in the title of a task.
_DEFAULT_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

PRIVATE_REVALIDATE = (b"cache-control", b"private, no-cache")
"""For a private response with an entity tag. The browser may store it but revalidates it each time, with the token of
its user; a shared cache may not store it. With no-store there would be nothing to send If-None-Match for."""

PUBLIC_REVALIDATE = (b"cache-control", b"no-cache")
"""For a response that needs no token: any cache may store it and revalidates it each time."""


def response_start(status: int, headers: Headers) -> dict[str, Any]:
    """Return the first message of a response, with the default headers that are not among the given ones."""
    names = {name for name, _ in headers}
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [*headers, *(header for header in _DEFAULT_HEADERS if header[0] not in names)],
    }


def body_part(body: bytes) -> dict[str, Any]:
    """Return a message with a part of a body that continues."""
    return {"type": "http.response.body", "body": body, "more_body": True}


async def send_response(
    send: Send, status: int, body: bytes, *, media_type: bytes = b"application/json", headers: Headers = ()
) -> None:
    """Send a whole response."""
    length = str(len(body)).encode()
    await send(response_start(status, [(b"content-type", media_type), (b"content-length", length), *headers]))
    await send({"type": "http.response.body", "body": body})


async def send_not_modified(send: Send, headers: Headers) -> None:
    """Send a 304. The headers are those of the 200 that it stands for (RFC 9110 section 15.4.5)."""
    await send(response_start(304, headers))
    await send_end(send)


async def send_end(send: Send) -> None:
    """Send the end of a body."""
    await send({"type": "http.response.body"})


def location_header(prefix: str | None, resource: Any) -> Headers:
    """Return the Location header for a created resource; none without a prefix (RFC 9110 section 15.3.2)."""
    return [(b"location", f"{prefix}{resource.id}".encode())] if prefix else ()
