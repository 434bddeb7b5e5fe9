"""uvicorn's HTTP protocol with limits on connections and on the head of a request, and with our error body.

It extends uvicorn's HttpToolsProtocol and depends on its private state, so that uvicorn is pinned to one version.
tests/unit/gateway/test_uvicorn_version.py fails on an upgrade and lists what to check.
"""

import asyncio
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.transport.cors.policy import CorsPolicy
from gateway.transport.errors import http_errors
from gateway.transport.errors.http_errors import HttpError
from gateway.transport.http.coalescing_transport import CoalescingTransport
from gateway.transport.http.connection_limits import ConnectionLimits
from gateway.transport.http.connection_timer import ConnectionTimer
from gateway.transport.http.header_limits import (
    MAX_HEAD_BYTES,
    HeaderLimits,
    check_host,
    check_transfer_encoding,
    headers_too_large,
)
from gateway.transport.http.load_shed import LoadShedder
from gateway.transport.http.rejecting_protocol import RejectingHttpProtocol
from gateway.transport.http.send_timeout import SendTimeout
from gateway.transport.http.upgrade import head_without_upgrade
from gateway.transport.request.disconnect import DISCONNECT_KEY, Disconnect

log = structlog.get_logger("protocol")


class LimitedHttpProtocol(RejectingHttpProtocol):
    """Protocol that rejects heads that are too large, too slow or malformed, before the application sees them.

    An HttpError raised in a callback stops the parser and becomes the response.
    """

    limits: ConnectionLimits

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the first request, or refuse the connection."""
        coalescing_transport = CoalescingTransport(transport, self.loop)
        super().connection_made(coalescing_transport)
        self._address = self.client[0] if self.client else ""
        self._is_counted = False
        self._send_timeout: SendTimeout | None = None
        self._timer = ConnectionTimer(self.loop)
        # True while this server waits for a head, or for the end of a shed request.
        self._is_timed = True
        self._header_limits = HeaderLimits()
        # Bytes since the last callback of the parser, which buffers a line until it ends.
        self._unparsed_bytes = 0
        self._running: RequestResponseCycle | None = None
        self._disconnect = Disconnect()
        self._head_without_upgrade = b""
        try:
            self.limits.open_connections.add(self._address)
        except HttpError as error:
            self._refuse_connection(error)
            return
        self._is_counted = True
        self._send_timeout = SendTimeout(
            coalescing_transport,
            timeout_seconds=self.limits.send_timeout_seconds,
            min_bytes=self.limits.min_send_bytes,
            on_stall=self._cut_unread,
        )
        self._timer.start(self.limits.header_timeout_seconds, self._cut_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers, and tell the application that the client has gone."""
        self._timer.close()
        if self._send_timeout is not None:
            self._send_timeout.stop()
        if self._is_counted:
            self.limits.open_connections.remove(self._address)
        # uvicorn tells only the last request of the connection. While that one is queued behind an earlier request, the
        # earlier one is running. If it is a watch, it would go on without a client.
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        self._disconnect.record_disconnect()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, or reject it. This replaces uvicorn's method, whose error response is plain text.

        Unlike there, data alone does not end the keep-alive timeout: line breaks between requests, or the rest of a
        body after its response, would keep a connection for ever.
        """
        if self._is_rejected:
            return
        self._unparsed_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._reject(cause if isinstance(cause, HttpError) else http_errors.malformed_http())
        else:
            if self._unparsed_bytes > MAX_HEAD_BYTES:
                self._reject(headers_too_large())
            elif self._is_timed and not self._timer.is_running:
                # Most heads arrive whole and need no timer.
                self._timer.start(self.limits.header_timeout_seconds, self._cut_slow_head)

    def _parse(self, data: bytes) -> None:
        """Feed the parser, which stops at a request with an Upgrade. Feed that head to a new one without the Upgrade.

        No upgrade is offered, so that the request is served as it is (RFC 9110 section 7.8). The first parser would
        take its body and all later bytes for the other protocol.
        """
        rest = memoryview(data)
        while rest:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                (head_end,) = upgrade.args
                rest = rest[head_end:]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(self._head_without_upgrade)
            else:
                return

    def on_message_begin(self) -> None:
        """Start the limits of the next request on a kept-alive connection. Its timer starts when the data ends."""
        super().on_message_begin()
        self._unset_keepalive_if_required()
        self._header_limits = HeaderLimits()
        self._timer.stop()
        self._is_timed = True

    def on_url(self, url: bytes) -> None:
        """Count a fragment of the URL."""
        self._header_limits.add_url(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header line. A trailer is counted and dropped: it is not a header (RFC 9110 section 6.5.1)."""
        self._header_limits.add_header(name, value)
        if not self._is_in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check the head, and stop the timer: the application limits the time of the body."""
        self._unparsed_bytes = 0
        http_version = self.parser.get_http_version()
        check_host(http_version, self.headers)
        check_transfer_encoding(http_version, self.headers)
        if self.parser.should_upgrade():
            self._head_without_upgrade = head_without_upgrade(
                self.parser.get_method(), self.url, http_version, self.headers
            )
            return
        # It can be set since on_message_begin: by the end of the previous response.
        self._unset_keepalive_if_required()
        super().on_headers_complete()
        # The timer goes on until the end of a shed request.
        if not self.is_shed:
            self._timer.stop()
            self._is_timed = False
        self._is_in_body = True

    def on_body(self, body: bytes) -> None:
        """Pass on a chunk of the body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the head of the next request."""
        if self.parser.should_upgrade():
            return
        self._unparsed_bytes = 0
        self._is_in_body = False
        if self.is_shed:
            self._timer.stop()  # that of the next head starts when the data ends
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        cycle.scope[DISCONNECT_KEY] = self._disconnect  # type: ignore[literal-required]
        super()._start_asgi_task(cycle, app)

    def _cut_slow_head(self) -> None:
        log.info("connection cut", reason="no request in time", client=self._address)
        self._close_connection()

    def _cut_unread(self) -> None:
        log.info("connection cut", reason="response not read", client=self._address)
        self.transport.abort()


def limited_protocol(limits: ConnectionLimits, cors: CorsPolicy | None, load_shedder: LoadShedder) -> type[Any]:
    """Return the protocol class with its settings: uvicorn creates the instances and passes no arguments of ours."""
    attributes = {"limits": limits, "cors": cors, "load_shedder": load_shedder}
    return type("LimitedHttpProtocol", (LimitedHttpProtocol,), attributes)
