"""Spans of gRPC calls. Names and attributes follow OpenTelemetry's semantic conventions for RPC.

OpenTelemetry's own server interceptor does not fit (docs/adr/0012-tracing.md).
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from chassis.rpc.access import Access, is_internal
from chassis.rpc.access_log import status_code
from chassis.rpc.interceptor import Context, ContextInterceptor
from chassis.rpc.methods import methods_of, split_path
from chassis.rpc.request_context import caller_or_none
from chassis.tracing.spans import (
    TRACE_KEYS,
    Attributes,
    child_span,
    continue_trace,
    is_sampled,
    remote_parent,
    set_failed,
    start_server_span,
)

_SERVER_ERRORS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""Statuses that are the server's fault, by the semantic conventions. A refused request is no error of the server."""


class TracingInterceptor(ContextInterceptor):
    """Interceptor that begins a span for each call.

    Health and reflection have none. An internal rpc has one only within a trace: our own services poll.

    A stream in both directions can last for hours, and a span is exported at its end. It gets no span, and the spans
    of its messages are children of the caller's span.
    """

    def __init__(self, *, services: Iterable[ServiceDescriptor], policy: Mapping[str, Access], link_only: bool) -> None:
        """Create the interceptor. With `link_only` a caller's trace is only linked: anybody can be the caller."""
        methods = list(methods_of(services))
        self._attributes = {path: _attributes(path) for path, _ in methods}
        self._bidirectional = {path for path, each in methods if each.client_streaming and each.server_streaming}
        self._internal = {path for path, _ in methods if (access := policy.get(path)) and is_internal(access)}
        self._link_only = link_only

    @contextmanager
    def call_context(self, context: Context, method: str) -> Iterator[None]:
        parent = remote_parent(_trace_headers(context))
        if method not in self._attributes or (parent is None and method in self._internal):
            yield
            return
        continued = None if self._link_only else parent
        if method in self._bidirectional or (continued is not None and not is_sampled(continued)):
            if continued is not None:
                continue_trace(continued)
            yield
            return
        name = method.removeprefix("/")
        span = start_server_span(name, self._attributes[method], parent=parent, link_only=self._link_only)
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            if span.is_recording():
                _record_status(span, status_code(context, error), server=True)
                if caller := caller_or_none():
                    span.set_attribute("enduser.id", str(caller.id))
            span.end()


@contextmanager
def client_span(method: str) -> Iterator[Span]:
    """Run a unary call of `method` ("/package.Service/Method") in a span. Pass `trace_metadata()` to the call."""
    if not is_sampled():
        yield INVALID_SPAN
        return
    attributes = {**_attributes(method), "rpc.grpc.status_code": 0}  # until the call fails
    with child_span(method.removeprefix("/"), attributes, kind=SpanKind.CLIENT, describe_error=_describe_error) as span:
        yield span


def _describe_error(error: BaseException) -> Attributes:
    if isinstance(error, grpc.aio.AioRpcError):
        code = error.code()
    else:
        code = grpc.StatusCode.CANCELLED if isinstance(error, asyncio.CancelledError) else grpc.StatusCode.UNKNOWN
    return {"rpc.grpc.status_code": code.value[0], "error.type": code.name}


def record_client_status(span: Span, code: grpc.StatusCode) -> None:
    """Record the status of a call that this process has made."""
    _record_status(span, code, server=False)


def _record_status(span: Span, code: grpc.StatusCode, *, server: bool) -> None:
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if code is not grpc.StatusCode.OK:
        set_failed(span, code.name, is_error=not server or code.name in _SERVER_ERRORS)


def _attributes(path: str) -> Attributes:
    service, method = split_path(path)
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}


def _trace_headers(context: Context) -> dict[str, str]:
    return {
        key: value for key, value in context.invocation_metadata() or () if key in TRACE_KEYS and isinstance(value, str)
    }
