"""Load shedding at the head of a request: before its body is read, before routing and authentication."""

from collections.abc import Sequence
from time import monotonic

import structlog

from chassis.probes.process_status import Phase, ProcessStatus
from chassis.rpc.request_context import accept_request_id
from gateway.transport.access_log import METHODS, OTHER_METHOD, REQUESTS, method_label, request_id_of
from gateway.transport.cors.policy import CorsPolicy
from gateway.transport.errors import http_errors
from gateway.transport.http.error_response import render_error
from gateway.transport.request.concurrency_limit import ConcurrencyLimit, caller_key

MAX_DISCARDED_BYTES = 64 * 1024
"""Maximum length of a body that is read and discarded, so that its connection can be used again."""

_EXEMPT_PATHS = frozenset({b"/healthz", b"/readyz", b"/statusz"})
_LOG_INTERVAL_SECONDS = 1.0
_PLACEHOLDER = b"?"
"""Byte that no other part of the response contains."""

RequestHeaders = Sequence[tuple[bytes, bytes]]

log = structlog.get_logger("overload")


class LoadShedder:
    """Decision which requests are shed, and the response to them. Health checks are not shed.

    Nor is OPTIONS: the response to a preflight calls no service, and a page could not read the refusal.
    """

    def __init__(self, limit: ConcurrencyLimit, status: ProcessStatus) -> None:
        self._limit = limit
        self._status = status
        self._unlogged = 0
        self._logged_at = -_LOG_INTERVAL_SECONDS
        self._error = http_errors.overloaded()
        self._templates: dict[object, bytes] = {}
        # A counter for each method, because finding it by its labels costs more than the rest of the count.
        self._counters = {
            method: REQUESTS.labels(method, "", self._error.http_status) for method in (*METHODS, OTHER_METHOD)
        }

    def admits(self, method: bytes, url: bytes, headers: RequestHeaders) -> bool:
        """Return True if the request may start. Shed requests are logged together, because a line each costs more."""
        if method == b"OPTIONS" or url.partition(b"?")[0] in _EXEMPT_PATHS:
            return True
        if self._limit.admit(caller_key(headers)):
            return True
        self._unlogged += 1
        now = monotonic()
        if now - self._logged_at >= _LOG_INTERVAL_SECONDS:
            log.warning("requests shed", count=self._unlogged)
            self._unlogged, self._logged_at = 0, now
        return False

    @property
    def keeps_connections(self) -> bool:
        """False once this process was told to stop."""
        return self._status.phase is not Phase.DRAINING

    def render_response(
        self, method: bytes, headers: RequestHeaders, cors: CorsPolicy | None, *, is_last: bool
    ) -> bytes:
        """Count a shed request and return the bytes of the whole response."""
        self._counters[method_label(method.decode())].inc()
        request_id = accept_request_id(request_id_of(headers))
        cors_headers = tuple(cors.response_headers(headers)) if cors else ()
        key = (method == b"HEAD", is_last, len(request_id), cors_headers)
        template = self._templates.get(key)
        placeholder = _PLACEHOLDER * len(request_id)
        if template is None:
            template = self._templates[key] = render_error(
                self._error, placeholder.decode(), cors_headers, is_last=is_last, has_body=method != b"HEAD"
            )
        return template.replace(placeholder, request_id.encode())


def may_discard_body(headers: RequestHeaders) -> bool:
    """Return True if the body is short enough to be discarded, or absent. A chunked body can have any length."""
    for name, value in headers:
        if name == b"transfer-encoding":
            return False
        if name == b"content-length" and not (value.isdigit() and int(value) <= MAX_DISCARDED_BYTES):
            return False
    return True
