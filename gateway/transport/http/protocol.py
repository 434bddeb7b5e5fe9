"""uvicorn's HTTP protocol with limits on the head of a request, and with its errors in our error body.

It extends uvicorn's HttpToolsProtocol and depends on its private state, so that uvicorn is pinned to one version.
tests/unit/gateway/test_uvicorn_version.py fails on an upgrade and lists what to check.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.rpc.request_context import accept_request_id
from gateway.transport.access_log import REQUESTS
from gateway.transport.errors import http_errors
from gateway.transport.errors.http_errors import HttpError
from gateway.transport.http.header_limits import MAX_HEAD_BYTES, HeaderLimits, check_host, headers_too_large
from gateway.transport.responses.send import response_start

LINGER_SECONDS = 5.0
"""Time for which a connection stays open after an error. A socket closed at once makes the client drop the response."""

log = structlog.get_logger("protocol")


class LimitedHttpProtocol(HttpToolsProtocol):
    """Protocol that rejects heads that are too large, too slow or malformed, before the application sees them.

    An HttpError raised in a callback stops the parser and becomes the response.
    """

    header_timeout_seconds: float = 10

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the first request."""
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._limits = HeaderLimits()
        # Bytes since the last callback of the parser, which buffers a line until it ends.
        self._unparsed_bytes = 0
        self._is_in_body = False
        self._is_rejected = False
        self._head_without_upgrade = b""
        self._start_timer(self.header_timeout_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, or reject it. This replaces uvicorn's method, whose error response is plain text."""
        if self._is_rejected:
            return
        self._unset_keepalive_if_required()
        self._unparsed_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._reject(cause if isinstance(cause, HttpError) else http_errors.malformed_http())
        else:
            if self._unparsed_bytes > MAX_HEAD_BYTES:
                self._reject(headers_too_large())

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
        """Start the timer and the limits of the next request on a kept-alive connection."""
        super().on_message_begin()
        self._limits = HeaderLimits()
        self._start_timer(self.header_timeout_seconds)

    def on_url(self, url: bytes) -> None:
        """Count a fragment of the URL."""
        self._limits.add_url(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header line. A trailer is counted and dropped: it is not a header (RFC 9110 section 6.5.1)."""
        self._limits.add_header(name, value)
        if not self._is_in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the timer (the application limits the time of the body) and check the head."""
        self._unparsed_bytes = 0
        self._stop_timer()
        http_version = self.parser.get_http_version()
        check_host(http_version, self.headers)
        if self.parser.should_upgrade():
            self._head_without_upgrade = self._build_head_without_upgrade(http_version)
            return
        super().on_headers_complete()
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
        super().on_message_complete()

    def _build_head_without_upgrade(self, http_version: str) -> bytes:
        method = self.parser.get_method()
        if method == b"CONNECT":
            # The parser treats it as an upgrade even without an Upgrade header.
            raise http_errors.malformed_http()
        lines = [b"%b %b HTTP/%b" % (method, self.url, http_version.encode())]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _reject(self, error: HttpError) -> None:
        """Send the error, if this request is next in line for a response, and read no more."""
        self._is_rejected = True
        self._stop_timer()
        reason = error.details[0].reason
        REQUESTS.labels("other", "", error.http_status).inc()
        request_id = accept_request_id(None)
        log.info("request rejected", status=error.http_status, reason=reason, request_id=request_id)
        cycle = self.cycle
        if self._is_in_body and (self.pipeline or cycle.response_started):
            self.transport.close()
        elif self._is_in_body:
            # The body is malformed, and its request has no response yet: the error is the response, and the
            # application's own one must not follow.
            cycle.disconnected = True
            cycle.message_event.set()
            self._send_error(error, request_id)
        elif cycle is not None and not cycle.response_complete:
            # The previous request still waits for its response; the client would take the error for it.
            cycle.keep_alive = False
        else:
            self._send_error(error, request_id)

    def _send_error(self, error: HttpError, request_id: str) -> None:
        body = error.to_json(request_id)
        headers = response_start(
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
        self._start_timer(LINGER_SECONDS)

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._close_connection)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_connection(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def limited_protocol(header_timeout_seconds: float) -> type[Any]:
    """Return the protocol class with its timeout: uvicorn creates the instances and passes no arguments of ours."""
    return type("LimitedHttpProtocol", (LimitedHttpProtocol,), {"header_timeout_seconds": header_timeout_seconds})
