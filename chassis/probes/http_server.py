"""HTTP server of the health checks and metrics.

It runs in threads of its own, so that it responds while the event loop is blocked, and says so.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app

from chassis.probes.process_status import ProcessStatus
from chassis.settings import CannotListen, Listen

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

LOOP_TIMEOUT_SECONDS = 1.0
"""An event loop that does not run a callback within this time counts as blocked."""

_CLIENT_TIMEOUT_SECONDS = 10.0


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _IPv6Server(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_TIMEOUT_SECONDS

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the signature of the base class
        """Log nothing: probes arrive every few seconds."""


@contextmanager
def serve_probes(
    listen: Listen | None,
    status: ProcessStatus,
    *,
    find_problem: Callable[[], str] | None = None,
    registry: CollectorRegistry = REGISTRY,
) -> Iterator[int]:
    """Serve /healthz, /readyz, /statusz and /metrics, and yield the port; without an address do nothing.

    /healthz is 200 while `find_problem` returns "". Without it, call this in the event loop that /healthz watches.
    Raises CannotListen.
    """
    if listen is None:
        yield 0
        return
    app = ProbeApp(status, find_problem or EventLoopCheck(asyncio.get_running_loop()), registry)
    server_class = _IPv6Server if ":" in listen.host else _Server
    try:
        server = make_server(listen.host, listen.port, app, server_class=server_class, handler_class=_Handler)
    except OSError as error:
        raise CannotListen(listen) from error
    thread = threading.Thread(target=server.serve_forever, name="probes", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class ProbeApp:
    """WSGI application of the probes."""

    def __init__(self, status: ProcessStatus, find_problem: Callable[[], str], registry: CollectorRegistry) -> None:
        self._status = status
        self._find_problem = find_problem
        self._metrics = make_wsgi_app(registry)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                body: Iterable[bytes] = self._metrics(environ, start_response)
                return body
            case "/healthz":
                problem = self._find_problem()
                return _respond(start_response, ok=not problem, body={"status": problem or "ok"})
            case "/readyz":
                return _respond(start_response, ok=self._status.is_ready, body={"status": self._status.phase})
            case "/statusz":
                return _respond(start_response, ok=True, body=self._status.to_json())
            case _:
                start_response("404 Not Found", [("Content-Type", "text/plain")])
                return [b"No such path. See /healthz, /readyz, /statusz and /metrics.\n"]


class EventLoopCheck:
    """Liveness of an event loop: it must run a callback in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __call__(self) -> str:
        turned = threading.Event()
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(turned.set)
        return "" if turned.wait(LOOP_TIMEOUT_SECONDS) else "event loop is blocked"


def _respond(start_response: "StartResponse", *, ok: bool, body: Mapping[str, Any]) -> Iterable[bytes]:
    status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
    return [json.dumps(body, indent=2).encode() + b"\n"]
