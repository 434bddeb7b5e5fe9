"""Rate limit by client address, for endpoints that need no token."""

from gateway.transport.asgi import Send
from gateway.transport.request.client_rate_limit import ClientRateLimit
from gateway.transport.request.http_request import Endpoint, HttpRequest


class RateLimitedEndpoint:
    """Endpoint that counts calls by the address of the client, before it reads the body of the request."""

    def __init__(self, endpoint: Endpoint, rate_limit: ClientRateLimit) -> None:
        self._endpoint = endpoint
        self._rate_limit = rate_limit

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        await self._rate_limit.count(http_request)
        await self._endpoint(http_request, send)
