"""CORS policy: the origins that may read responses, and the response headers for each (fetch.spec.whatwg.org).

Access-Control-Allow-Credentials is never sent. It would allow cookies and TLS client certificates, which the API does
not use: a page sets the Authorization header itself, and a page of another site has no token.
"""

from collections.abc import Collection, Iterable, Sequence

from gateway.transport.asgi import header_values
from gateway.transport.errors.http_errors import Headers

# Response headers that a page may read beside the safelisted ones, such as Content-Type and Cache-Control.
EXPOSED_HEADERS = (
    "accept-encoding",
    "allow",
    "content-disposition",
    "etag",
    "idempotency-replayed",
    "location",
    "retry-after",
    "www-authenticate",
    "x-request-id",
)
# Every request header that the gateway reads. "*" does not stand for Authorization, so each one is named.
REQUEST_HEADERS = (
    "accept",
    "authorization",
    "content-encoding",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "x-request-id",
)
MAX_AGE_SECONDS = 7200
"""Time for which a browser may cache a preflight: the maximum of Chromium. A method that a new version removes may be
tried for so long; the origin is checked again on every response."""

_ALLOW_ORIGIN = b"access-control-allow-origin"
# Other responses may depend on the origin too: a cache must not answer a page with a response that was stored for
# another origin, or for none. Caches combine several lines of Vary (RFC 9110 section 5.3).
_VARY = (b"vary", b"Origin")
_EXPOSE = (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode())


class CorsPolicy:
    """Policy for a list of origins, or for any origin if the list is `*`."""

    def __init__(self, origins: Collection[str]) -> None:
        self._allows_any = "*" in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    def allows(self, origin: bytes) -> bool:
        """Return True if pages of the origin may call the API. The comparison is exact: case, scheme and port count."""
        return self._allows_any or origin in self._origins

    def response_headers(self, request_headers: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Return the headers of each response to a request, whatever its status is."""
        if self._allows_any:
            # The same for every request, so that caches need no Vary.
            return ((_ALLOW_ORIGIN, b"*"), _EXPOSE)
        origin = origin_of(request_headers)
        if origin is None or origin not in self._origins:
            return (_VARY,)
        return ((_ALLOW_ORIGIN, origin), _EXPOSE, _VARY)

    def preflight_headers(self, methods: Sequence[str]) -> Headers:
        """Return the headers of the answer to a preflight, beside `response_headers`."""
        return (
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            (b"access-control-allow-headers", ", ".join(REQUEST_HEADERS).encode()),
            (b"access-control-max-age", str(MAX_AGE_SECONDS).encode()),
        )


def origin_of(request_headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the Origin of a request; None without one, or with several, which no browser sends."""
    origins = header_values(request_headers, b"origin")
    return origins[0] if len(origins) == 1 else None
