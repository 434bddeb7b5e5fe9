"""uvicorn's HTTP protocol with error responses of its own, for requests and connections that it rejects."""

import structlog

from chassis.rpc.request_context import accept_request_id
from gateway.transport.access_log import OTHER_METHOD, REQUESTS
from gateway.transport.errors.http_errors import HttpError
from gateway.transport.http.connection_timer import ConnectionTimer
from gateway.transport.http.error_response import render_error
from gateway.transport.http.shedding_protocol import SheddingHttpProtocol

LINGER_SECONDS = 5.0
"""Time for which a connection stays open after an error. A socket closed at once makes the client drop the response."""

log = structlog.get_logger("protocol")


class RejectingHttpProtocol(SheddingHttpProtocol):
    """Protocol that sends an error as the last response of a connection. A subclass decides when."""

    _address: str
    _timer: ConnectionTimer
    _is_in_body = False
    """True from the end of a head to the end of its body."""
    _is_rejected = False
    """True after an error: further data is ignored."""

    def _reject(self, error: HttpError) -> None:
        """Send the error, if this request is next in line for a response, and read no more."""
        self._timer.stop()
        request_id = self._log_rejection("request rejected", error)
        cycle = self.cycle
        if self.is_shed or (self._is_in_body and (self.pipeline or cycle.response_started)):
            self.transport.close()
        elif self._is_in_body:
            # The body is malformed, and its request has no response yet: the error is the response, and the
            # application's own one must not follow.
            cycle.disconnected = True
            cycle.message_event.set()
            self._send_last_error(error, request_id)
        elif cycle is not None and not cycle.response_complete:
            # The previous request still waits for its response; the client would take the error for it.
            cycle.keep_alive = False
        else:
            self._send_last_error(error, request_id)

    def _refuse_connection(self, error: HttpError) -> None:
        """Send the error and close. Waiting for the client to read it would keep what the limit protects."""
        self._write_error(error, self._log_rejection("connection refused", error))
        self.transport.close()

    def _log_rejection(self, event: str, error: HttpError) -> str:
        """Log and count the error, ignore further data, and return the request id."""
        self._is_rejected = True
        request_id = accept_request_id(None)
        reason = error.details[0].reason
        REQUESTS.labels(OTHER_METHOD, "", error.http_status).inc()
        log.info(event, status=error.http_status, reason=reason, client=self._address, request_id=request_id)
        return request_id

    def _send_last_error(self, error: HttpError, request_id: str) -> None:
        self._write_error(error, request_id)
        self.transport.write_eof()
        self._timer.start(LINGER_SECONDS, self._close_connection)

    def _write_error(self, error: HttpError, request_id: str) -> None:
        # The Origin is known if the parser has passed on its line before the error.
        cors_headers = self.cors.response_headers(self.headers or ()) if self.cors else ()
        self.transport.write(render_error(error, request_id, cors_headers))

    def _close_connection(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
