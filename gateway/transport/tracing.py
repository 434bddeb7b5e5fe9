"""Middleware for the span of each request, by OpenTelemetry's semantic conventions for HTTP."""

import re

from chassis.tracing.spans import TRACE_KEYS, remote_parent, set_failed, start_server_span
from gateway.transport.access_log import METHODS, PROBE_ROUTES, ROUTE_KEY
from gateway.transport.asgi import AsgiApp, Message, Receive, Scope, Send

# Paths of ids. Any other path can hold anything that a client has put there, such as an email.
_PATH_OF_IDS = re.compile(r"(?:/[A-Za-z0-9_.:-]{0,48}){1,10}")
_TRACE_KEYS = {key.encode(): key for key in TRACE_KEYS}
_SERVER_ERROR = 500


class TraceRequests:
    """Outermost middleware, so that the log lines of a request have the id of its span. Probes have no span."""

    def __init__(self, app: AsgiApp, *, accept_traceparent: bool) -> None:
        """Create the middleware. Without `accept_traceparent` a client's trace is only linked."""
        self._app = app
        self._accept_traceparent = accept_traceparent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in PROBE_ROUTES:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        span = start_server_span(
            method,
            {"http.request.method": method, "url.scheme": scope["scheme"]},
            parent=remote_parent(_trace_headers(scope)),
            link_only=not self._accept_traceparent,
        )
        status = 0

        async def send_and_record(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_record)
        finally:
            if route := scope.get(ROUTE_KEY, ""):
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
            if route and _PATH_OF_IDS.fullmatch(path):
                span.set_attribute("url.path", path)
            if status:
                span.set_attribute("http.response.status_code", status)
            else:
                set_failed(span, "client_disconnected", is_error=False)
            if status >= _SERVER_ERROR:
                set_failed(span, str(status))
            span.end()


def _trace_headers(scope: Scope) -> dict[str, str]:
    return {_TRACE_KEYS[name]: value.decode("latin-1") for name, value in scope["headers"] if name in _TRACE_KEYS}
