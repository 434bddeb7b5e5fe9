"""uvicorn's HTTP protocol with what it lacks at an open door: limits on a request's head, refusals in the one shape."""

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.rpc.request_context import accept_request_id
from gateway.transport import failure
from gateway.transport.answer import begin
from gateway.transport.failure import Failure
from gateway.transport.head import MOST_BYTES, Size, check_host, too_large
from gateway.transport.observe import REQUESTS

LINGER_SECONDS = 5.0
"""How long a refused client may go on sending: a socket closed at once makes it drop the answer unread."""

log = structlog.get_logger("protocol")


class EdgeProtocol(HttpToolsProtocol):
    """Refuses heads that are too large, too slow or no HTTP, outside of any application.

    A Failure that a callback raises stops the parser, and is the answer.
    """

    header_timeout_seconds: float = 10

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock for the first request."""
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._size = Size()
        # What has come since the parser last had something to tell: a line without an end stays inside of it.
        self._untold = 0
        self._in_body = False
        self._is_deaf = False
        self._close_after(self.header_timeout_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses, and answers what can't be parsed. In place of uvicorn's own, which answers in another shape."""
        if self._is_deaf:
            return
        self._unset_keepalive_if_required()
        self._untold += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            known = error.__context__
            self._refuse(known if isinstance(known, Failure) else failure.malformed_http())
        else:
            if self._untold > MOST_BYTES:
                self._refuse(too_large())

    def on_message_begin(self) -> None:
        """Starts the clock for a request on a connection kept alive."""
        super().on_message_begin()
        self._size = Size()
        self._close_after(self.header_timeout_seconds)

    def on_url(self, url: bytes) -> None:
        """Takes a piece of the request's target."""
        self._size.add_target(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header line; a trailer is counted and left out, for it is no header (RFC 9110 section 6.5.1)."""
        self._size.add_header(name, value)
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stops the clock: the body's time is the application's."""
        self._untold = 0
        self._stop_clock()
        check_host(self.parser.get_http_version(), self.headers)
        is_upgrade = self.parser.should_upgrade()
        if is_upgrade and any(name in {b"content-length", b"transfer-encoding"} for name, _ in self.headers):
            # The parser would not read the body, and the client's next request would begin in the middle of it.
            raise failure.upgrade_with_body()
        super().on_headers_complete()
        self._in_body = True
        if is_upgrade:
            # None is offered, so the request is answered as it is (RFC 9110 section 7.8). As the connection's last one:
            # the parser may drop what follows, taking it for the other protocol.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Takes a piece of the body."""
        self._untold = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Takes note that what follows is another head."""
        self._untold = 0
        self._in_body = False
        super().on_message_complete()

    def _refuse(self, error: Failure) -> None:
        """Answers, where it is this request's turn, and reads no further."""
        self._is_deaf = True
        self._stop_clock()
        reason = error.details[0].reason
        REQUESTS.labels("other", "", error.http_status).inc()
        request_id = accept_request_id(None)
        log.info("refused", status=error.http_status, reason=reason, request_id=request_id)
        cycle = self.cycle
        if self._in_body and (self.pipeline or cycle.response_started):
            self.transport.close()
        elif self._in_body:
            # Nothing has been said yet to the request whose body broke: this is its answer, and not the application's.
            cycle.disconnected = True
            cycle.message_event.set()
            self._answer(error, request_id)
        elif cycle is not None and not cycle.response_complete:
            # A request before is still to be answered; an answer now would be taken for that one's.
            cycle.keep_alive = False
        else:
            self._answer(error, request_id)

    def _answer(self, error: Failure, request_id: str) -> None:
        body = error.to_json(request_id)
        headers = begin(
            error.http_status,
            [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
                (b"x-request-id", request_id.encode()),
            ],
        )["headers"]
        status = b"HTTP/1.1 %d %b" % (error.http_status, HTTPStatus(error.http_status).phrase.encode())
        lines = [status, *(b"%b: %b" % header for header in headers), b"", body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.write_eof()
        self._close_after(LINGER_SECONDS)

    def _close_after(self, seconds: float) -> None:
        self._stop_clock()
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def with_header_timeout(seconds: float) -> type[Any]:
    """The protocol with its time for header lines: uvicorn makes the instances itself and hands nothing through."""
    return type("EdgeProtocol", (EdgeProtocol,), {"header_timeout_seconds": seconds})
