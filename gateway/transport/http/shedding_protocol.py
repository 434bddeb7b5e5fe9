"""uvicorn's HTTP protocol with load shedding: it refuses a request at its head, before a task is started for it."""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.transport.cors.policy import CorsPolicy
from gateway.transport.errors import http_errors
from gateway.transport.http.coalescing_transport import CoalescingTransport
from gateway.transport.http.load_shed import LoadShedder, may_discard_body


class SheddingHttpProtocol(HttpToolsProtocol):
    """Protocol that answers shed requests itself. Their connections can be used again, if their bodies are short."""

    cors: CorsPolicy | None
    load_shedder: LoadShedder
    parser: httptools.HttpRequestParser
    transport: CoalescingTransport

    is_shed = False
    """True from the response to a shed request until the end of its body, or of the connection if that ends."""
    _closes_after_shed = False

    def on_headers_complete(self) -> None:
        """Shed the request or start it. Raises HttpError for a shed request whose connection has to end."""
        if self.is_shed:
            return
        if not self._can_shed() or self.load_shedder.admits(self.parser.get_method(), self.url, self.headers):
            super().on_headers_complete()
            return
        # A client that waits for 100 Continue may or may not send its body: the next bytes could be either.
        if self.expect_100_continue or not may_discard_body(self.headers):
            raise http_errors.overloaded()
        self.is_shed = True
        self._closes_after_shed = not (self.parser.should_keep_alive() and self.load_shedder.keeps_connections)
        response = self.load_shedder.render_response(
            self.parser.get_method(), self.headers, self.cors, is_last=self._closes_after_shed
        )
        self.transport.write_now(response)

    def on_body(self, body: bytes) -> None:
        """Pass on a chunk of the body, or discard it."""
        if not self.is_shed:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next request."""
        if not self.is_shed:
            super().on_message_complete()
            return
        if self._closes_after_shed:
            self.transport.close()
        else:
            self.is_shed = False

    def _can_shed(self) -> bool:
        """Return True if the response would be the next one of this connection, and the client reads its responses."""
        return (self.cycle is None or self.cycle.response_complete) and not self.flow.write_paused
