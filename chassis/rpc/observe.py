"""The outer interceptors: request id, access log and metrics. They see every call, refused ones too."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog
from grpc_health.v1 import health_pb2

from chassis.metrics import RPC_HANDLED, RPC_IN_FLIGHT, RPC_SECONDS
from chassis.rpc.interceptor import ContextInterceptor
from chassis.rpc.interceptor import Context
from chassis.rpc.request_context import REQUEST_ID_KEY, accept_request_id, enter_deadline, enter_request

log = structlog.get_logger("access")

# Asked every few seconds by every orchestrator: counted, not logged.
_UNLOGGED = f"/{health_pb2.DESCRIPTOR.services_by_name['Health'].full_name}/"


def status_of(context: Context, error: BaseException | None) -> str:
    """The name of the status that the caller gets."""
    code = context.code()
    if code:  # int 0, a StatusCode or None, by grpcio's own account
        return code.name if isinstance(code, grpc.StatusCode) else str(code)
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return grpc.StatusCode.CANCELLED.name
    return (grpc.StatusCode.UNKNOWN if error else grpc.StatusCode.OK).name


class RequestIdInterceptor(ContextInterceptor):
    """Takes the caller's request id, or makes one, and sends it back in the trailers; remembers the deadline."""

    @asynccontextmanager
    async def around(self, context: Context, method: str) -> AsyncIterator[None]:  # noqa: ARG002 - every method alike
        offered = next((value for key, value in context.invocation_metadata() or () if key == REQUEST_ID_KEY), None)
        request_id = accept_request_id(offered if isinstance(offered, str) else None)
        enter_request(request_id)
        enter_deadline(context.time_remaining)
        context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
        yield


class AccessLogInterceptor(ContextInterceptor):
    """Counts and measures each call by its method and status, and writes one line about it."""

    @asynccontextmanager
    async def around(self, context: Context, method: str) -> AsyncIterator[None]:
        began = time.perf_counter()
        error: BaseException | None = None
        RPC_IN_FLIGHT.inc()
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - began
            status = status_of(context, error)
            RPC_IN_FLIGHT.dec()
            RPC_SECONDS.labels(method).observe(seconds)
            RPC_HANDLED.labels(method, status).inc()
            if not method.startswith(_UNLOGGED):
                log.info("call", method=method, status=status, ms=round(seconds * 1000, 2))
