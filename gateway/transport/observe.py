"""The request id, one log line and the metrics of each request."""

import time

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.rpc.request_context import REQUEST_ID_KEY, accept_request_id, enter_request

ROUTE = "gateway.route"
"""Where the scope holds the matched path template: paths themselves hold ids, and would be a metric each."""

REQUESTS = Counter("http_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram("http_request_seconds", "Time from a request's arrival to the last byte of its answer", ["route"])

_HEADER = REQUEST_ID_KEY.encode()
# What a client closed before it was answered; nginx's number for it.
_CLIENT_GONE = 499
_PROBES = frozenset({"/healthz", "/readyz"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger("access")


class Observe:
    """Outermost: what is refused is counted and logged too. Never bodies, query strings, tokens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, and writes down."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        offered = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        request_id = accept_request_id(offered.decode("latin-1"))
        enter_request(request_id)
        status = _CLIENT_GONE

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - began
            route = scope.get(ROUTE, "")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            REQUESTS.labels(method, route, status).inc()
            SECONDS.labels(route).observe(seconds)
            if route not in _PROBES:
                log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2))
