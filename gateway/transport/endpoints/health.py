"""Health checks of the process: liveness and readiness."""

import asyncio
from collections.abc import Sequence

from gateway.clients.upstream import Upstream
from gateway.transcoding.json_codec.encoder import to_json
from gateway.transport.asgi import Send
from gateway.transport.errors import http_errors
from gateway.transport.request.http_request import HttpRequest
from gateway.transport.responses.send import send_response

_HEALTH_CHECK_TIMEOUT_SECONDS = 1.0


class Liveness:
    """GET /healthz: 200 while the process runs."""

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:  # noqa: ARG002 - an endpoint's signature
        await send_response(send, 200, to_json({"status": "ok"}))


class Readiness:
    """GET /readyz: 200 if every service behind the gateway reports SERVING and this process is not shutting down."""

    def __init__(self, *, upstreams: Sequence[Upstream], stopping: asyncio.Event) -> None:
        self._upstreams = upstreams
        self._stopping = stopping

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:  # noqa: ARG002 - an endpoint's signature
        if self._stopping.is_set():
            raise http_errors.stopping()
        are_serving = await asyncio.gather(
            *(upstream.is_serving(timeout_seconds=_HEALTH_CHECK_TIMEOUT_SECONDS) for upstream in self._upstreams)
        )
        not_serving = [
            upstream.name for upstream, is_serving in zip(self._upstreams, are_serving, strict=True) if not is_serving
        ]
        if not_serving:
            raise http_errors.not_ready(not_serving)
        await send_response(send, 200, to_json({"status": "ready"}))
