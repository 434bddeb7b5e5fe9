"""Middleware for the request id, the access log and the metrics of each request."""

import time

import structlog
from prometheus_client import Counter, Histogram

from chassis.rpc.request_context import REQUEST_ID_KEY, accept_request_id, enter_request
from gateway.transport.asgi import AsgiApp, Message, Receive, Scope, Send

ROUTE_KEY = "gateway.route"
"""Scope key of the matched path template. A path itself contains ids, and each one would be a metric of its own."""

REQUESTS = Counter("http_requests", "HTTP requests, by method, route and status", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "http_request_seconds", "Seconds from the arrival of a request to the last byte of its response", ["route"]
)

_REQUEST_ID_HEADER = REQUEST_ID_KEY.encode()
# nginx uses this status too for a request whose client disconnects before the response.
_CLIENT_CLOSED_REQUEST = 499
PROBE_ROUTES = frozenset({"/healthz", "/readyz", "/statusz"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger("access")


class AccessLog:
    """Outermost middleware, so that errors are counted and logged too. It logs no body, query string or token."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_at = time.perf_counter()
        client_request_id = next((value for name, value in scope["headers"] if name == _REQUEST_ID_HEADER), b"")
        request_id = accept_request_id(client_request_id.decode("latin-1"))
        enter_request(request_id)
        status = _CLIENT_CLOSED_REQUEST

        async def send_with_request_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_REQUEST_ID_HEADER, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_request_id)
        finally:
            seconds = time.perf_counter() - started_at
            route = scope.get(ROUTE_KEY, "")
            method = scope["method"] if scope["method"] in METHODS else "other"
            REQUESTS.labels(method, route, status).inc()
            REQUEST_SECONDS.labels(route).observe(seconds)
            if route not in PROBE_ROUTES:
                log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2))
