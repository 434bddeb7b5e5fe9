"""Access log and metrics of calls, refused calls included."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import structlog

from chassis.rpc.access import HEALTH_METHODS
from chassis.rpc.call_metrics import SERVER_IN_FLIGHT, ServerMetrics
from chassis.rpc.interceptor import Context, ContextInterceptor

log = structlog.get_logger("access")

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def status_code(context: Context, error: BaseException | None) -> grpc.StatusCode:
    """Return the status that the caller gets."""
    code = context.code()
    if code:  # grpcio documents int 0, a StatusCode or None
        return code if isinstance(code, grpc.StatusCode) else _CODES.get(code, grpc.StatusCode.UNKNOWN)
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN if error else grpc.StatusCode.OK


class AccessLogInterceptor(ContextInterceptor):
    """Interceptor that counts and times each call by method and status, and logs one line for it.

    It does both, because each further interceptor costs every call another context manager.
    """

    def __init__(self, metrics: ServerMetrics) -> None:
        self._metrics = metrics

    @contextmanager
    def call_context(self, context: Context, method: str) -> Iterator[None]:
        metrics = self._metrics.of(method)
        started = metrics.record_start()
        error: BaseException | None = None
        SERVER_IN_FLIGHT.count += 1
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            status = status_code(context, error)
            SERVER_IN_FLIGHT.count -= 1
            seconds = metrics.record_end(started, status)
            if method not in HEALTH_METHODS:  # orchestrators call health every few seconds: counted, not logged
                log.info("call", method=method, status=status.name, ms=round(seconds * 1000, 2))
