"""Rate limit by client address, for endpoints that need no token."""

from chassis.limits.rate_limit import AddressRateLimiter
from gateway.transport.asgi import Send
from gateway.transport.errors import http_errors
from gateway.transport.request.client_address import ClientAddressResolver
from gateway.transport.request.http_request import Endpoint, HttpRequest


class RateLimitedEndpoint:
    """Endpoint that counts calls by the address of the client, before it reads the body of the request."""

    def __init__(
        self, endpoint: Endpoint, limiter: AddressRateLimiter, client_addresses: ClientAddressResolver
    ) -> None:
        self._endpoint = endpoint
        self._limiter = limiter
        self._client_addresses = client_addresses

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        client = self._client_addresses.resolve(http_request.peer_address, http_request.headers)
        retry_after_seconds = await self._limiter.hit(client)
        if retry_after_seconds is not None:
            raise http_errors.too_many_calls(retry_after_seconds)
        await self._endpoint(http_request, send)
