"""Middleware for requests from pages of other origins. Without a policy, the application has none of it."""

from typing import Any

from gateway.transcoding.http.router import Router
from gateway.transcoding.violations import InvalidRequest
from gateway.transport.asgi import AsgiApp, Message, Receive, Scope, Send
from gateway.transport.cors.policy import CorsPolicy, origin_of
from gateway.transport.errors import http_errors
from gateway.transport.responses.send import response_start, send_end

# A path without a route has no methods. The preflight then allows all, so that the request itself is sent and its page
# can read the 404. A preflight with an error status would tell the page only that the request failed.
_ALL_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class CorsHeaders:
    """Middleware outside of the error responses, so that a page can read errors too."""

    def __init__(self, app: AsgiApp, policy: CorsPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cors_headers = self._policy.response_headers(scope["headers"])

        async def send_with_cors_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *cors_headers]
            await send(message)

        await self._app(scope, receive, send_with_cors_headers)


class Preflights:
    """Middleware that answers preflights. They carry no token, so that they are answered without one."""

    def __init__(self, app: AsgiApp, policy: CorsPolicy, router: Router[Any]) -> None:
        self._app = app
        self._policy = policy
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or pass on the request. Raises HttpError for an origin that is not allowed."""
        if scope["method"] != "OPTIONS" or not _is_preflight(scope):
            await self._app(scope, receive, send)
            return
        origin = origin_of(scope["headers"])
        if origin is None or not self._policy.allows(origin):
            raise http_errors.origin_not_allowed()
        headers = self._policy.preflight_headers(self._methods_of(scope["raw_path"]))
        await send(response_start(204, headers))
        await send_end(send)

    def _methods_of(self, raw_path: bytes) -> tuple[str, ...]:
        try:
            return self._router.methods(raw_path) or _ALL_METHODS
        except InvalidRequest:
            return _ALL_METHODS


def _is_preflight(scope: Scope) -> bool:
    """Return True for an OPTIONS request that is a preflight (Fetch section 3.2.2). Others are answered with 405."""
    names = {name for name, _ in scope["headers"]}
    return b"origin" in names and b"access-control-request-method" in names
