"""End of a streaming call, before or after the service has ended it."""

import asyncio
from typing import Any

from grpc import aio


async def end_call(call: aio.Call, *futures: asyncio.Future[Any]) -> None:
    """Cancel the call and the futures that belong to it, and wait until they have ended."""
    call.cancel()
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)
