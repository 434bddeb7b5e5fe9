"""The ASGI application: finds the route, calls its endpoint, and answers every error in the one shape."""

import asyncio
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.rpc.request_context import request_id
from gateway.transcoding.router import NoRoute, Router, WrongMethod
from gateway.transcoding.violations import InvalidRequest
from gateway.transport import failure
from gateway.transport.answer import respond
from gateway.transport.failure import Failure
from gateway.transport.incoming import ClientGone, Incoming
from gateway.transport.observe import ROUTE, Observe
from gateway.transport.routes import Route

LINGER_SECONDS = 5.0
"""How long a refused upload may go on before the connection is cut; cut at once, the client never sees why."""

log = structlog.get_logger("gateway")


def build_app(router: Router[Route]) -> Starlette:
    """The application. Its middleware is plain ASGI: BaseHTTPMiddleware costs each request a task and a queue."""
    app = Starlette(middleware=[Middleware(Observe), Middleware(AnswerErrors)])
    app.router.redirect_slashes = False
    app.router.default = Dispatch(router)
    return app


class Dispatch:
    """Calls what the router finds."""

    def __init__(self, router: Router[Route]) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or raises what AnswerErrors knows."""
        try:
            found = self._router.match(scope["method"], scope["raw_path"])
        except NoRoute:
            raise failure.not_found() from None
        except WrongMethod as wrong:
            raise failure.method_not_allowed(wrong.allowed) from None
        scope[ROUTE] = found.target.template
        client, _ = scope["client"] or ("", 0)
        incoming = Incoming(scope["method"], found.values, scope["query_string"], scope["headers"], receive, client)
        await found.target.endpoint(incoming, send)


class AnswerErrors:
    """Turns what was raised into the error body. Whatever is unknown is logged whole and answered with a constant."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, whatever happens inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Failure as error:
            await exchange.answer(error)
        except InvalidRequest as error:
            await exchange.answer(failure.invalid(error))
        except ClientGone:
            log.info("the client went away")
        except Exception:
            log.exception("unhandled")
            await exchange.answer(failure.internal())


class _Exchange:
    """One request and its answer: how far both have come."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        # RFC 9112 section 6: these two headers, and nothing else, announce a body.
        self._body_is_open = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in scope["headers"]
        )
        self._answer_begun = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._body_is_open = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: Any) -> None:
        self._answer_begun = True
        await self._send(message)

    async def answer(self, error: Failure) -> None:
        """Sends the error. If an answer had begun, it is left unfinished, which closes the connection."""
        if self._answer_begun:
            return
        body = error.to_json(request_id())
        if not self._body_is_open:
            await respond(self._send, error.http_status, body, headers=error.headers)
            return
        await respond(self._hold_last, error.http_status, body, headers=[*error.headers, (b"connection", b"close")])
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while self._body_is_open:
                    await self.receive()
        except TimeoutError:
            pass
        await self._send({"type": "http.response.body"})

    async def _hold_last(self, message: Any) -> None:
        """Sends the answer but leaves it open: closing a socket with unread bytes makes the peer drop the answer."""
        if message["type"] == "http.response.body":
            message["more_body"] = True
        await self._send(message)
