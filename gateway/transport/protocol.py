"""uvicorn's HTTP protocol with the two things that it lacks at an open door."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.rpc.request_context import accept_request_id
from gateway.transcoding.violations import Violation
from gateway.transport.failure import Failure


class EdgeProtocol(HttpToolsProtocol):
    """Closes connections whose header lines don't come, and answers what is no HTTP in the one error shape."""

    header_timeout_seconds: float = 10

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock for the first request."""
        super().connection_made(transport)
        self._header_timer: asyncio.TimerHandle | None = None
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._headers_are_here()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Starts the clock for a request on a connection kept alive."""
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        """Stops the clock: the body's time is the application's."""
        self._headers_are_here()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser refused, outside of any application."""
        request_id = accept_request_id(None)
        body = Failure(400, "INVALID_ARGUMENT", msg, [Violation("MALFORMED_HTTP", None, msg)]).to_json(request_id)
        lines = (
            b"HTTP/1.1 400 Bad Request",
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"x-request-id: %b" % request_id.encode(),
            b"connection: close",
            b"",
            body,
        )
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()

    def _expect_headers(self) -> None:
        self._headers_are_here()
        self._header_timer = self.loop.call_later(self.header_timeout_seconds, self._give_up)

    def _headers_are_here(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def with_header_timeout(seconds: float) -> type[Any]:
    """The protocol with its time for header lines: uvicorn makes the instances itself and hands nothing through."""
    return type("EdgeProtocol", (EdgeProtocol,), {"header_timeout_seconds": seconds})
