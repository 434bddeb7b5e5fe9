"""Endpoints that anybody may call, and nobody too often."""

from starlette.types import Send

from chassis.limits.rate_limit import AddressRateLimiter
from gateway.transport import failure
from gateway.transport.incoming import Endpoint, Incoming


class LimitedEndpoint:
    """Counts calls by the address of the connection before anything of them is read.

    X-Forwarded-For is whatever a client says it is: behind a proxy of yours, the limit is the proxy's to set.
    """

    def __init__(self, endpoint: Endpoint, limiter: AddressRateLimiter) -> None:
        self._endpoint = endpoint
        self._limiter = limiter

    async def __call__(self, incoming: Incoming, send: Send) -> None:
        wait = await self._limiter.wait(incoming.client)
        if wait is not None:
            raise failure.too_many_calls(wait)
        await self._endpoint(incoming, send)
