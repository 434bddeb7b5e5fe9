"""An end to streams of which nothing comes: they hold a place, and a connection that broke may never say so."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from task_service.imports.domain.errors import UploadIdle

Request = TypeVar("Request")


async def while_they_come(requests: AsyncIterator[Request], *, idle_seconds: float) -> AsyncIterator[Request]:
    """The requests as they come; UploadIdle once none has come for so long."""
    waiting = aiter(requests)
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                request = await anext(waiting)
        except TimeoutError:
            raise UploadIdle(seconds=idle_seconds) from None
        except StopAsyncIteration:
            return
        yield request
