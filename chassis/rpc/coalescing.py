"""Calls that arrive together are handled together, and their responses are sent together."""

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from grpc_interceptor.server import AsyncServerInterceptor

from chassis.kernel.coalescing import CoalescingPoint
from chassis.limits.load_shed import is_streaming
from chassis.rpc.interceptor import is_stream
from chassis.rpc.methods import methods_of


class CoalescingInterceptor(AsyncServerInterceptor):
    """Interceptor that lets the unary calls of the services wait for each other before they begin and before they end.

    A call alone does not wait. Uploads, other streams and health checks neither wait nor count.
    """

    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        self._methods = frozenset(path for path, method in methods_of(services) if not is_streaming(method))
        self._begins = CoalescingPoint()
        self._ends = CoalescingPoint()
        self._active = 0

    async def intercept(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        if method_name not in self._methods:
            response = method(request_or_iterator, context)
            return response if is_stream(method) else await response
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
