"""Calls that arrive together are handled together, and their responses are sent together."""

from collections.abc import Callable
from typing import Any

from grpc_interceptor.server import AsyncServerInterceptor

from chassis.kernel.gathering import Gathering
from chassis.rpc.interceptor import is_stream


class GatherInterceptor(AsyncServerInterceptor):
    """Interceptor that lets unary calls wait for each other before they begin and before they end.

    A call alone does not wait. Streams neither wait nor count: they can last for hours.
    """

    def __init__(self) -> None:
        self._begins = Gathering()
        self._ends = Gathering()
        self._active = 0

    async def intercept(
        self,
        method: Callable[..., Any],
        request_or_iterator: Any,
        context: Any,
        method_name: str,  # noqa: ARG002
    ) -> Any:
        if is_stream(method):
            return method(request_or_iterator, context)
        self._active += 1
        try:
            if self._active > 1:
                await self._begins.wait()
            response = await method(request_or_iterator, context)
            if self._active > 1:
                await self._ends.wait()
            return response
        finally:
            self._active -= 1
