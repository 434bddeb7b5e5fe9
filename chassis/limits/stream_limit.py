"""Limit of open streams for each caller, so that one caller can't use up the capacity of a process."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from google.protobuf.descriptor import ServiceDescriptor

from chassis.kernel.errors import DomainError
from chassis.kernel.holder_counts import HolderCounts
from chassis.limits.load_shed import SHED_CALLS, is_streaming
from chassis.rpc.access import Access
from chassis.rpc.interceptor import Context, ContextInterceptor
from chassis.rpc.methods import methods_of
from chassis.rpc.request_context import current_caller

CALLER = "caller"
"""Kind of these refusals in the metric of load shedding."""


class TooManyStreams(DomainError):
    """You have {limit} open streams (watches, downloads, uploads). Close one, or try again shortly."""

    retry_after_seconds = 5.0


class StreamLimitInterceptor(ContextInterceptor):
    """Interceptor that limits the open streams of a caller over all its sessions and connections.

    It runs after the JwtInterceptor. Rpcs that only our own services may call have no limit: a service opens as many
    streams as it has work.
    """

    def __init__(
        self, *, max_streams: int, services: Iterable[ServiceDescriptor], policy: Mapping[str, Access]
    ) -> None:
        self._max_streams = max_streams
        self._open = HolderCounts[UUID]()
        self._limited = {
            path
            for path, method in methods_of(services)
            if is_streaming(method) and path in policy and policy[path].roles
        }

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Wrap only the methods that have a limit, so that other calls do not pay for it."""
        if handler_call_details.method not in self._limited:
            return await continuation(handler_call_details)
        return await super().intercept_service(continuation, handler_call_details)  # type: ignore[no-untyped-call]

    @contextmanager
    def call_context(self, context: Context, method: str) -> Iterator[None]:  # noqa: ARG002 - one count for all methods
        caller = current_caller().id
        if self._open[caller] >= self._max_streams:
            SHED_CALLS.labels(CALLER).inc()
            raise TooManyStreams(limit=self._max_streams)
        self._open.add(caller)
        try:
            yield
        finally:
            self._open.remove(caller)
