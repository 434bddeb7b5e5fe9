"""Metrics of gRPC calls, with the names and labels of go-grpc-middleware, so that existing dashboards fit."""

import time
from collections.abc import Iterable, Mapping
from typing import Self

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from prometheus_client import Counter, Gauge, Histogram

from chassis.metrics import InProgress
from chassis.rpc.methods import methods_of, split_path

_METHOD_LABELS = ("grpc_type", "grpc_service", "grpc_method")
_CALL_LABELS = (*_METHOD_LABELS, "grpc_code")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

SERVER_STARTED = Counter("grpc_server_started", "Calls that arrived", _METHOD_LABELS)
SERVER_HANDLED = Counter("grpc_server_handled", "Calls that ended, refused ones included", _CALL_LABELS)
SERVER_SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "Seconds from the arrival of a call to its last byte",
    _METHOD_LABELS,
    buckets=_BUCKETS,
)
SERVER_IN_FLIGHT = InProgress(Gauge("grpc_server_in_flight", "Calls in progress"))
CLIENT_STARTED = Counter(
    "grpc_client_started", "Unary calls to other services; a repetition counts again", _METHOD_LABELS
)
CLIENT_HANDLED = Counter("grpc_client_handled", "Unary calls to other services that ended", _CALL_LABELS)
CLIENT_SECONDS = Histogram(
    "grpc_client_handling_seconds",
    "Seconds from the start of a unary call to its response",
    _METHOD_LABELS,
    buckets=_BUCKETS,
)


def code_label(code: grpc.StatusCode) -> str:
    """Return the code as go-grpc-middleware writes it: OK, NotFound, Canceled."""
    if code is grpc.StatusCode.OK:
        return "OK"
    if code is grpc.StatusCode.CANCELLED:
        return "Canceled"
    return "".join(word.capitalize() for word in code.name.split("_"))


_CODE_LABELS: Mapping[grpc.StatusCode, str] = {code: code_label(code) for code in grpc.StatusCode}


class CallMetrics:
    """Metrics of one method. It keeps the children of the metrics, because finding one by its labels costs 2 us."""

    def __init__(self, started: Counter, handled: Counter, seconds: Histogram, *, labels: tuple[str, str, str]) -> None:
        self._started = started.labels(*labels)
        self._seconds = seconds.labels(*labels)
        self._handled = handled
        self._labels = labels
        self._by_code: dict[grpc.StatusCode, Counter] = {}

    @classmethod
    def of_server(cls, labels: tuple[str, str, str]) -> Self:
        """Return the metrics of a method of this server."""
        return cls(SERVER_STARTED, SERVER_HANDLED, SERVER_SECONDS, labels=labels)

    @classmethod
    def of_client(cls, grpc_path: str) -> Self:
        """Return the metrics of a unary method ("/package.Service/Method") that this process calls."""
        return cls(CLIENT_STARTED, CLIENT_HANDLED, CLIENT_SECONDS, labels=("unary", *split_path(grpc_path)))

    def record_start(self) -> float:
        """Count a call that starts. Return the start for `record_end`."""
        self._started.inc()
        return time.perf_counter()

    def record_end(self, started: float, code: grpc.StatusCode) -> float:
        """Count a call that has ended. Return its duration in seconds."""
        seconds = time.perf_counter() - started
        self._seconds.observe(seconds)
        handled = self._by_code.get(code)
        if handled is None:
            handled = self._by_code[code] = self._handled.labels(*self._labels, _CODE_LABELS[code])
        handled.inc()
        return seconds


class ServerMetrics:
    """Metrics of all methods of a server.

    A method that the server does not have gets no labels of its own: a client could otherwise create any number.
    """

    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        self._methods = {
            path: CallMetrics.of_server((_grpc_type(method), *split_path(path)))
            for path, method in methods_of(services)
        }
        self._unknown = CallMetrics.of_server(("unary", "unknown", "unknown"))

    def of(self, method: str) -> CallMetrics:
        """Return the metrics of a method ("/package.Service/Method")."""
        return self._methods.get(method, self._unknown)


def _grpc_type(method: MethodDescriptor) -> str:
    if method.client_streaming:
        return "bidi_stream" if method.server_streaming else "client_stream"
    return "server_stream" if method.server_streaming else "unary"
