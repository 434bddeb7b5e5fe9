"""The header Idempotency-Replayed."""

from grpc import aio

from chassis.rpc.request_context import IDEMPOTENCY_REPLAYED_KEY
from gateway.transport.errors.http_errors import Headers


async def replay_header(call: aio.Call) -> Headers:
    """Return the header of a response that the service stored for an earlier request; nothing for other responses."""
    trailers = await call.trailing_metadata()
    value = trailers.get(IDEMPOTENCY_REPLAYED_KEY) if trailers is not None else None
    return [(IDEMPOTENCY_REPLAYED_KEY.encode(), value.encode())] if isinstance(value, str) else ()
