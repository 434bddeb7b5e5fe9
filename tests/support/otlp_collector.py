"""A collector of traces: an HTTP server that decodes what OTLP exporters send."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.support.waiting import wait_until


@dataclass(frozen=True)
class RecordedSpan:
    """A span as the collector has received it."""

    service: str
    name: str
    kind: str
    trace_id: str
    id: str
    parent_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    is_error: bool
    linked_trace_ids: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{self.service}: {self.name}"


@dataclass(frozen=True)
class Trace:
    """The spans of one trace."""

    spans: list[RecordedSpan]

    @property
    def labels(self) -> list[str]:
        return [span.label for span in self.spans]

    def __getitem__(self, label: str) -> RecordedSpan:
        return next(span for span in self.spans if span.label == label)

    def parents(self, label: str) -> set[str]:
        """Return the labels of the parents of the spans with this label; empty text for a parent that is missing."""
        by_id = {span.id: span.label for span in self.spans}
        return {by_id.get(span.parent_id, "") for span in self.spans if span.label == label}


class Collector:
    """Running collector and what it has received."""

    def __init__(self) -> None:
        self.spans: list[RecordedSpan] = []
        self.is_refusing = False
        self.refused_batches = 0
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the same port as before if the collector was stopped."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def wait_for(self, condition: Callable[[RecordedSpan], bool], *, since: int = 0) -> RecordedSpan:
        """Wait for a span that fulfils the condition, and return the last one. Spans before `since` do not count."""
        wait_until(lambda: any(map(condition, self.spans[since:])))
        return [span for span in self.spans[since:] if condition(span)][-1]

    def wait_for_trace(self, trace_id: str, *labels: str) -> "Trace":
        """Wait until the trace has a span with each of these labels, and return it."""
        wait_until(lambda: set(labels) <= set(self._trace(trace_id).labels))
        return self._trace(trace_id)

    def _trace(self, trace_id: str) -> "Trace":
        return Trace([span for span in list(self.spans) if span.trace_id == trace_id])


@contextmanager
def running_collector() -> Iterator[Collector]:
    """Run a collector on a free port."""
    collector = Collector()
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            if collector.is_refusing:
                collector.refused_batches += 1
                self.send_response(400)
            else:
                collector.spans.extend(_decode(body))
                self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _decode(body: bytes) -> Iterator[RecordedSpan]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _values(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield RecordedSpan(
                    service=resource["service.name"],
                    name=span.name,
                    kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    trace_id=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    attributes=_values(span.attributes),
                    resource=resource,
                    is_error=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                    linked_trace_ids=tuple(link.trace_id.hex() for link in span.links),
                )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> Any:
    kind = pair.value.WhichOneof("value")
    return getattr(pair.value, kind) if kind else None
