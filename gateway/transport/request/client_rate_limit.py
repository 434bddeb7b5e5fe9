"""Rate limit of calls that need no access token, by the address of the client."""

from chassis.limits.rate_limit import AddressRateLimiter
from gateway.transport.errors import http_errors
from gateway.transport.request.client_address import ClientAddressResolver
from gateway.transport.request.http_request import HttpRequest


class ClientRateLimit:
    """Counter of calls by the address of the client, which may be behind proxies."""

    def __init__(self, limiter: AddressRateLimiter, client_addresses: ClientAddressResolver) -> None:
        self._limiter = limiter
        self._client_addresses = client_addresses

    async def count(self, http_request: HttpRequest) -> None:
        """Count a call.

        Raises:
            HttpError: the limit is exceeded.

        """
        client = self._client_addresses.resolve(http_request.peer_address, http_request.headers)
        retry_after_seconds = await self._limiter.hit(client)
        if retry_after_seconds is not None:
            raise http_errors.too_many_calls(retry_after_seconds)
