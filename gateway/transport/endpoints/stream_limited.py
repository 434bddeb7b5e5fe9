"""Limit of concurrent streams, which mostly wait and would fill the slots of other requests."""

from gateway.transport.asgi import Send
from gateway.transport.request.concurrency_limit import StreamLimit, caller_key
from gateway.transport.request.http_request import Endpoint, HttpRequest


class StreamLimitedEndpoint:
    """Endpoint of a watch, a download or an upload. It holds a slot from its head to its end."""

    def __init__(self, endpoint: Endpoint, limit: StreamLimit) -> None:
        self._endpoint = endpoint
        self._limit = limit

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        with self._limit.slot(caller_key(http_request.headers)):
            await self._endpoint(http_request, send)
