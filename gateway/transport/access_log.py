"""Middleware for the request id, the access log and the metrics of each request."""

import time
from collections.abc import Iterable
from functools import lru_cache

import structlog
from prometheus_client import Counter, Gauge, Histogram

from chassis.metrics import InProgress
from chassis.rpc.request_context import REQUEST_ID_KEY, accept_request_id, enter_request
from gateway.transport.asgi import AsgiApp, Message, Receive, Scope, Send, header_values
from gateway.transport.errors.http_errors import HttpError

ROUTE_KEY = "gateway.route"
"""Scope key of the matched path template. A path itself contains ids, and each one would be a metric of its own."""

REQUESTS = Counter("http_requests", "HTTP requests, by method, route and status", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Seconds from the arrival of a request to the last byte of its response",
    ["method", "route"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
REQUESTS_IN_FLIGHT = InProgress(Gauge("http_requests_in_flight", "HTTP requests in progress, also watches and uploads"))

_REQUEST_ID_HEADER = REQUEST_ID_KEY.encode()
# nginx uses this status too for a request whose client disconnects before the response.
_CLIENT_CLOSED_REQUEST = 499
PROBE_ROUTES = frozenset({"/healthz", "/readyz", "/statusz"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
"""Label of all other methods: clients can send any text as a method."""

log = structlog.get_logger("access")


def method_label(method: str) -> str:
    """Return the label of a method in the metrics."""
    return method if method in METHODS else OTHER_METHOD


@lru_cache(maxsize=1000)  # more than there are routes, methods and statuses
def _metrics_of(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return the metrics with these labels: finding them costs as much as counting."""
    return REQUESTS.labels(method, route, status), REQUEST_SECONDS.labels(method, route)


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the request id that the client sent; empty without one."""
    values = header_values(headers, _REQUEST_ID_HEADER)
    return values[0].decode("latin-1") if values else ""


def bind_reason(error: HttpError) -> None:
    """Add the reason of an error to the access line, for a response whose status was sent before the error."""
    structlog.contextvars.bind_contextvars(reason=error.details[0].reason)


class AccessLog:
    """Outermost middleware, so that errors are counted and logged too. It logs no body, query string or token."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_at = time.perf_counter()
        request_id = accept_request_id(request_id_of(scope["headers"]))
        enter_request(request_id)
        status = _CLIENT_CLOSED_REQUEST
        REQUESTS_IN_FLIGHT.count += 1

        async def send_with_request_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_REQUEST_ID_HEADER, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_request_id)
        finally:
            REQUESTS_IN_FLIGHT.count -= 1
            seconds = time.perf_counter() - started_at
            route = scope.get(ROUTE_KEY, "")
            method = method_label(scope["method"])
            count, duration = _metrics_of(method, route, status)
            count.inc()
            duration.observe(seconds)
            if route not in PROBE_ROUTES:
                log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2))
