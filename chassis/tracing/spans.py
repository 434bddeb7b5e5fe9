"""Spans of this process, and their propagation to others (W3C Trace Context).

A span never holds the text of an exception: it can quote values, such as a row of the database.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis.version import VERSION

TRACE_KEYS = ("traceparent", "tracestate")
"""Headers of HTTP and keys of gRPC metadata that name the caller's span."""

Attributes = Mapping[str, str | int]
Metadata = tuple[tuple[str, str], ...]

_PROPAGATOR = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("taskmanager", VERSION)  # does nothing until tracing is set up


def is_enabled() -> bool:
    """Return True if this process is traced. Set up what is wired at the start only then."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def span_context(context: Context | None = None) -> SpanContext | None:
    """Return the ids of the current span, or of that in a context; None outside a trace."""
    span = trace.get_current_span(context)
    if span is trace.INVALID_SPAN:  # saves two more steps in each call of a process that is not traced
        return None
    found = span.get_span_context()
    return found if found.is_valid else None


def is_sampled(context: Context | None = None) -> bool:
    """Return True if spans of the trace are recorded: the current one, or that of a context."""
    found = span_context(context)
    return found is not None and found.trace_flags.sampled


def trace_metadata() -> Metadata:
    """Return the headers that name the current span to the receiver of a call; empty outside a trace."""
    if span_context() is None:
        return ()
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return tuple(carrier.items())


def current_traceparent() -> str:
    """Return the current span in the format of the header traceparent; empty outside a trace."""
    return dict(trace_metadata()).get("traceparent", "")


def remote_parent(headers: Mapping[str, str]) -> Context | None:
    """Return the context of the caller's span; None if the headers are absent or malformed."""
    if "traceparent" not in headers:
        return None
    context = _PROPAGATOR.extract(headers, Context())
    return context if span_context(context) else None


def continue_trace(parent: Context) -> None:
    """Make the spans of this task children of the parent. It is for a whole task and is never undone."""
    attach(parent)


@contextmanager
def in_trace(traceparent: str) -> Iterator[None]:
    """Make the spans of the block children of a span that another process has ended long ago; empty for none."""
    token = attach(remote_parent({"traceparent": traceparent}) or Context())
    try:
        yield
    finally:
        detach(token)


def start_server_span(
    name: str, attributes: Attributes, *, parent: Context | None, link_only: bool, kind: SpanKind = SpanKind.SERVER
) -> Span:
    """Start the span of a received request for the rest of this task. The caller ends it.

    With `link_only` the span begins a new trace that is linked with the parent's: the caller's choice of a trace id and
    of sampling has no effect.
    """
    links = []
    if link_only and parent is not None:
        links.append(Link(trace.get_current_span(parent).get_span_context()))
        parent = None
    span = _tracer.start_span(name, parent or Context(), kind, attributes, links)
    attach(trace.set_span_in_context(span, Context()))
    return span


def set_failed(span: Span, error_type: str, *, is_error: bool = True) -> None:
    """Record the kind of a failure. With `is_error` false it is the caller's and not the server's."""
    span.set_attribute("error.type", error_type)
    if is_error:
        span.set_status(Status(StatusCode.ERROR))


def begin_span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    traceparent: str | None = None,
    start_time_ns: int | None = None,
) -> Span:
    """Begin a child of the current span, or of `traceparent`. The caller ends it.

    Without a sampled parent it is not recorded: polling and background work would fill the collector with traces of
    one span.
    """
    parent = None if traceparent is None else remote_parent({"traceparent": traceparent}) or Context()
    if not is_sampled(parent):
        return trace.INVALID_SPAN
    return _tracer.start_span(name, parent, kind, attributes, start_time=start_time_ns)


def _error_type(error: BaseException) -> Attributes:
    return {"error.type": type(error).__name__}


@contextmanager
def child_span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    traceparent: str | None = None,
    describe_error: Callable[[BaseException], Attributes] = _error_type,
) -> Iterator[Span]:
    """Run the block in a span as `begin_span` begins it. `describe_error` describes an exception that leaves it."""
    span = begin_span(name, attributes, kind=kind, traceparent=traceparent)
    if span is trace.INVALID_SPAN:
        yield span
        return
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        except BaseException as error:
            span.set_attributes(describe_error(error))
            span.set_status(Status(StatusCode.ERROR))
            raise
