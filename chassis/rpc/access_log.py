"""Access log and metrics of calls, refused calls included."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog

from chassis.metrics import RPC_HANDLED, RPC_IN_FLIGHT, RPC_SECONDS
from chassis.rpc.access import HEALTH_METHODS
from chassis.rpc.interceptor import Context, ContextInterceptor

log = structlog.get_logger("access")


def status_name(context: Context, error: BaseException | None) -> str:
    """Return the name of the status that the caller gets."""
    code = context.code()
    if code:  # grpcio documents int 0, a StatusCode or None
        return code.name if isinstance(code, grpc.StatusCode) else str(code)
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return grpc.StatusCode.CANCELLED.name
    return (grpc.StatusCode.UNKNOWN if error else grpc.StatusCode.OK).name


class AccessLogInterceptor(ContextInterceptor):
    """Interceptor that counts and times each call by method and status, and logs one line for it."""

    @asynccontextmanager
    async def call_context(self, context: Context, method: str) -> AsyncIterator[None]:
        started = time.perf_counter()
        error: BaseException | None = None
        RPC_IN_FLIGHT.inc()
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - started
            status = status_name(context, error)
            RPC_IN_FLIGHT.dec()
            RPC_SECONDS.labels(method).observe(seconds)
            RPC_HANDLED.labels(method, status).inc()
            if method not in HEALTH_METHODS:  # orchestrators call health every few seconds: counted, not logged
                log.info("call", method=method, status=status, ms=round(seconds * 1000, 2))
