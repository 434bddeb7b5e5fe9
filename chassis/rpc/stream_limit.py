"""How many is_streaming one caller may keep open, so that nobody takes all the places that a process has for them."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from google.protobuf.descriptor import ServiceDescriptor

from chassis.kernel.errors import DomainError
from chassis.rpc.access import Access
from chassis.rpc.interceptor import ContextInterceptor
from chassis.rpc.interceptor import Context
from chassis.limits.load_shed import SHED
from chassis.limits.load_shed import is_streaming
from chassis.rpc.request_context import current_caller

CALLERS = "caller"


class TooManyStreams(DomainError):
    """You have {limit} is_streaming open already, watches, downloads and uploads together; end one, or try again shortly."""

    retry_after = 5.0


class StreamLimitInterceptor(ContextInterceptor):
    """Counts a caller's open is_streaming, whatever sessions and connections they come by, once a token has said who it is.

    Calls that only our own services may make have no limit: one program with a credential has as many as it has work.
    """

    def __init__(self, *, most: int, services: Iterable[ServiceDescriptor], policy: Mapping[str, Access]) -> None:
        self._most = most
        self._open: Counter[UUID] = Counter()
        self._limited = {
            path
            for service in services
            for method in service.methods
            if is_streaming(method) and (path := f"/{service.full_name}/{method.name}") in policy and policy[path].roles
        }

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Leaves all other methods as they are: they need not pay for this."""
        if handler_call_details.method not in self._limited:
            return await continuation(handler_call_details)
        return await super().intercept_service(continuation, handler_call_details)  # type: ignore[no-untyped-call]

    @asynccontextmanager
    async def around(self, context: Context, method: str) -> AsyncIterator[None]:  # noqa: ARG002 - all together
        caller = current_caller().id
        if self._open[caller] >= self._most:
            SHED.labels(CALLERS).inc()
            raise TooManyStreams(limit=self._most)
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]
