"""The HTTP server: binds, serves, and stops in order."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

from chassis.settings import Listen
from gateway.transport.protocol import with_header_timeout

log = structlog.get_logger("server")


class CannotListen(Exception):
    """The address is in use, or not one of this machine."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: it would end the process by the signal, and orderly stops exit with 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(
    app: ASGIApp, *, listen: Listen, header_timeout_seconds: float, drain_seconds: float, stopping: asyncio.Event
) -> AsyncIterator[Listen]:
    """Serves while inside, and tells the address it got. Leaving sets `stopping`, then waits for open requests.

    Raises:
        CannotListen: the address can't be had.

    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        listener = socket.create_server((listen.host, listen.port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(f"cannot listen on {listen}: {error.strerror}") from error
    config = uvicorn.Config(
        app,
        http=with_header_timeout(header_timeout_seconds),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # X-Forwarded-* is whatever a client says it is.
        proxy_headers=False,
        timeout_graceful_shutdown=max(round(drain_seconds), 1),
    )
    server = _Server(config)
    host, port = listener.getsockname()[:2]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        log.info("serving", host=host, port=port)
        yield Listen(host, port)
    finally:
        stopping.set()
        server.should_exit = True
        await serving
        log.info("stopped")
