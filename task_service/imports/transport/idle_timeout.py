"""Idle timeout of client streams."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from task_service.imports.domain.errors import UploadIdle

Request = TypeVar("Request")


async def with_idle_timeout(requests: AsyncIterator[Request], *, timeout_seconds: float) -> AsyncIterator[Request]:
    """Yield the requests. Raise UploadIdle when none arrives within the timeout.

    A broken connection may never be reported, and an idle stream occupies a slot.
    """
    iterator = aiter(requests)
    while True:
        try:
            async with asyncio.timeout(timeout_seconds):
                request = await anext(iterator)
        except TimeoutError:
            raise UploadIdle(seconds=timeout_seconds) from None
        except StopAsyncIteration:
            return
        yield request
