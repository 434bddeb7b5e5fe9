"""The routes that belong to the process and not to the contract."""

import asyncio
from collections.abc import Sequence

from starlette.types import Send

from gateway.clients.upstream import Upstream
from gateway.transcoding.encode import to_json
from gateway.transport import failure
from gateway.transport.answer import respond
from gateway.transport.incoming import Incoming

_HEALTH_SECONDS = 1.0


class Alive:
    """GET /healthz: the process runs and answers."""

    async def __call__(self, incoming: Incoming, send: Send) -> None:  # noqa: ARG002 - an endpoint's signature
        await respond(send, 200, to_json({"status": "ok"}))


class Ready:
    """GET /readyz: every service behind the gateway says that it serves, and this process is not stopping."""

    def __init__(self, *, upstreams: Sequence[Upstream], stopping: asyncio.Event) -> None:
        self._upstreams = upstreams
        self._stopping = stopping

    async def __call__(self, incoming: Incoming, send: Send) -> None:  # noqa: ARG002 - an endpoint's signature
        if self._stopping.is_set():
            raise failure.stopping()
        serving = await asyncio.gather(*(upstream.is_serving(within=_HEALTH_SECONDS) for upstream in self._upstreams))
        absent = [upstream.name for upstream, serves in zip(self._upstreams, serving, strict=True) if not serves]
        if absent:
            raise failure.not_ready(absent)
        await respond(send, 200, to_json({"status": "ready"}))
