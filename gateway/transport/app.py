"""The ASGI application: finds the route, calls its endpoint, and turns every error into the error body.

It is plain ASGI and serves `http` scopes only: the server is configured without WebSockets and without lifespan.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import structlog

from chassis.logs import describe_error
from chassis.probes.process_status import Phase, ProcessStatus
from chassis.rpc.request_context import request_id
from chassis.tracing.spans import is_enabled
from gateway.transcoding.http.path_suggestions import PathSuggestions
from gateway.transcoding.http.router import MethodNotAllowed, RouteNotFound, Router
from gateway.transcoding.violations import InvalidRequest
from gateway.transport.access_log import ROUTE_KEY, AccessLog, bind_reason
from gateway.transport.asgi import AsgiApp, Message, Receive, Scope, Send
from gateway.transport.coalescing import CoalesceResponses
from gateway.transport.cors.middleware import CorsHeaders, Preflights
from gateway.transport.cors.policy import CorsPolicy
from gateway.transport.errors import http_errors
from gateway.transport.errors.http_errors import HttpError
from gateway.transport.request.disconnect import DISCONNECT_KEY, ClientDisconnected
from gateway.transport.request.http_request import HttpRequest
from gateway.transport.responses.send import send_response
from gateway.transport.routes import Route
from gateway.transport.tracing import TraceRequests

LINGER_SECONDS = 5.0
"""Time for which the rest of a body is read after an error. A connection closed at once can lose the error."""

log = structlog.get_logger("gateway")


def build_app(
    router: Router[Route],
    suggestions: PathSuggestions,
    cors: CorsPolicy | None,
    status: ProcessStatus,
    *,
    accept_traceparent: bool = False,
) -> AsgiApp:
    """Build the application.

    Order of the middleware, outermost first: trace, log, drain, coalescing, CORS, errors, dispatch.
    """
    dispatcher = Dispatcher(router, suggestions)
    app: AsgiApp = ErrorResponder(dispatcher)
    if cors is not None:
        app = CorsHeaders(ErrorResponder(Preflights(dispatcher, cors, router)), cors)
    app = AccessLog(CloseWhileDraining(CoalesceResponses(app, status), status))
    return TraceRequests(app, accept_traceparent=accept_traceparent) if is_enabled() else app


class CloseWhileDraining:
    """Middleware that closes each connection after its response once this process was told to stop.

    Clients then open their next connection to another process. A connection that is closed later, while it is idle,
    may lose a request that is under way to it.
    """

    def __init__(self, app: AsgiApp, status: ProcessStatus) -> None:
        self._app = app
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start" and self._status.phase is Phase.DRAINING:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_and_close)


class Dispatcher:
    """Innermost application: it calls the endpoint of the matched route."""

    def __init__(self, router: Router[Route], suggestions: PathSuggestions) -> None:
        self._router = router
        self._suggestions = suggestions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, or raise an error for ErrorResponder."""
        try:
            match = self._router.match(scope["method"], scope["raw_path"])
        except RouteNotFound:
            raise http_errors.route_not_found(self._suggestions.find(scope["raw_path"])) from None
        except MethodNotAllowed as error:
            raise http_errors.method_not_allowed(error.allowed) from None
        scope[ROUTE_KEY] = match.target.path
        peer_address, _ = scope["client"] or ("", 0)
        http_request = HttpRequest(
            scope["method"],
            match.path_values,
            scope["query_string"],
            scope["headers"],
            receive,
            scope[DISCONNECT_KEY],
            peer_address,
        )
        await match.target.endpoint(http_request, send)


class ErrorResponder:
    """Middleware that sends the error body for every exception. An unknown one is logged in full and becomes a 500."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, receive, send)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except HttpError as error:
            if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.__cause__:
                structlog.contextvars.bind_contextvars(cause=describe_error(error.__cause__))
            await exchange.send_error(error)
        except InvalidRequest as error:
            await exchange.send_error(http_errors.invalid_request(error))
        except ClientDisconnected:
            structlog.contextvars.bind_contextvars(cause="client disconnected")
        except asyncio.CancelledError:
            # The end of the drain. It does not wait for the request. A disconnect would be ClientDisconnected.
            await exchange.send_error(http_errors.stopping())
        except Exception as error:
            structlog.contextvars.bind_contextvars(cause=describe_error(error))
            log.exception("unhandled exception")
            await exchange.send_error(http_errors.internal_error())


class _Exchange:
    """State of one request and its response: whether body bytes are unread, and whether the response has started."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        # RFC 9112 section 6: these two headers, and nothing else, announce a body.
        self._has_unread_body = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in scope["headers"]
        )
        self._response_started = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._has_unread_body = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: Any) -> None:
        self._response_started = True
        await self._send(message)

    async def send_error(self, error: HttpError) -> None:
        """Send the error. A response that has started stays unfinished, which makes the server close the connection."""
        if self._response_started:
            bind_reason(error)
            return
        body = error.to_json(request_id())
        if not self._has_unread_body:
            await send_response(self._send, error.http_status, body, headers=error.headers)
            return
        headers = [*error.headers, (b"connection", b"close")]
        await send_response(self._send_unfinished, error.http_status, body, headers=headers)
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while self._has_unread_body:
                    await self.receive()
        except TimeoutError:
            pass
        await self._send({"type": "http.response.body"})

    async def _send_unfinished(self, message: Message) -> None:
        """Send a message but keep the response open: a socket closed with unread bytes makes the peer drop it."""
        if message["type"] == "http.response.body":
            message["more_body"] = True
        await self._send(message)
