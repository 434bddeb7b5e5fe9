"""Rate limit by client address, for endpoints that need no token."""

from chassis.limits.rate_limit import AddressRateLimiter
from gateway.transport.asgi import Send
from gateway.transport.errors import http_errors
from gateway.transport.request.http_request import Endpoint, HttpRequest


class RateLimitedEndpoint:
    """Endpoint that counts calls by the address of the connection, before it reads anything of the request.

    It ignores X-Forwarded-For, because any client can send it. Behind a proxy, the proxy must set the limit.
    """

    def __init__(self, endpoint: Endpoint, limiter: AddressRateLimiter) -> None:
        self._endpoint = endpoint
        self._limiter = limiter

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        retry_after_seconds = await self._limiter.hit(http_request.client_address)
        if retry_after_seconds is not None:
            raise http_errors.too_many_calls(retry_after_seconds)
        await self._endpoint(http_request, send)
