"""The HTTP server: it binds the socket, serves, and shuts down gracefully."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn

from chassis.kernel.errors import StartError
from chassis.settings import CannotListen, Listen
from gateway.transport.asgi import AsgiApp
from gateway.transport.cors.policy import CorsPolicy
from gateway.transport.http.connection_limits import ConnectionLimits
from gateway.transport.http.load_shed import LoadShedder
from gateway.transport.http.protocol import limited_protocol

log = structlog.get_logger("server")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers. They end the process by the signal; a graceful shutdown must exit with 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Return False for uvicorn's error about a response that ends early. The access log has its reason."""
    return record.msg != "ASGI callable returned without completing response."


def _bind(listen: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        return socket.create_server((listen.host, listen.port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(listen) from error


def _inherit(listen_fd: int) -> socket.socket:
    try:
        listener = socket.socket(fileno=listen_fd)
        is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        is_listening = 0
    if not is_listening:
        raise StartError(f"GATEWAY_LISTEN_FD: file descriptor {listen_fd} is no listening socket")
    return listener


@asynccontextmanager
async def serve(
    app: AsgiApp,
    *,
    listen: Listen,
    listen_fd: int | None,
    limits: ConnectionLimits,
    cors: CorsPolicy | None,
    load_shedder: LoadShedder,
    drain_seconds: float,
    stopping: asyncio.Event,
) -> AsyncIterator[Listen]:
    """Serve the application and yield the bound address. On exit, set `stopping` and wait for open requests.

    `listen_fd` is a listening socket that this process inherits, instead of the address. Its connections wait while no
    process accepts them, and several processes may accept them, so that a restart refuses nobody.

    Raises:
        CannotListen: the address cannot be bound.
        StartError: the inherited file descriptor is no listening socket.

    """
    listener = _bind(listen) if listen_fd is None else _inherit(listen_fd)
    logging.getLogger("uvicorn.error").addFilter(_is_unexpected)
    config = uvicorn.Config(
        app,
        http=limited_protocol(limits, cors, load_shedder),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Any client can send X-Forwarded-*. ClientAddressResolver reads X-Forwarded-For of trusted proxies.
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
