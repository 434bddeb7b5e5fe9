"""Sending answers, and what may be done with them on the way."""

from typing import Any

from starlette.types import Send

from gateway.transport.failure import Headers

# Whatever says nothing about it is kept nowhere: it is somebody's own, it may hold a token, a code or a credential
# (RFC 6749 section 5.1), and RFC 9111 section 4.2.2 lets caches guess how long even a 404 is good for. Nor is any
# answer of another type than it says: a browser must not find a script in a task's title.
_UNLESS_SAID = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

REVALIDATED = (b"cache-control", b"private, no-cache")
"""For answers that come with an entity tag and are asked for with If-None-Match: no-store would leave browsers nothing
to compare. The person's own cache may keep them, asks with their token each time, and no cache in between may."""

PUBLIC = (b"cache-control", b"no-cache")
"""The same for what anybody may read."""


def begin(status: int, headers: Headers) -> dict[str, Any]:
    """The message that begins an answer."""
    said = {name for name, _ in headers}
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [*headers, *(header for header in _UNLESS_SAID if header[0] not in said)],
    }


async def respond(
    send: Send, status: int, body: bytes, *, media_type: bytes = b"application/json", headers: Headers = ()
) -> None:
    """Sends a whole answer."""
    length = str(len(body)).encode()
    await send(begin(status, [(b"content-type", media_type), (b"content-length", length), *headers]))
    await send({"type": "http.response.body", "body": body})


async def not_modified(send: Send, headers: Headers) -> None:
    """Answers 304: the client has it already. The headers are what a 200 would say (RFC 9110 section 15.4.5)."""
    await send(begin(304, headers))
    await send({"type": "http.response.body"})
