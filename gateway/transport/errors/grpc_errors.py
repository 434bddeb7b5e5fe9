"""Mapping of failed gRPC calls to HTTP errors."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from grpc import StatusCode, aio

from chassis.rpc.errors import DETAILS_KEY, RichStatus, read_status
from gateway.transcoding.http.status_codes import HTTP_STATUS
from gateway.transcoding.violations import Violation
from gateway.transport.errors.http_errors import HttpError

# Reasons for which HTTP has a more specific status than google.rpc.Code.
REASON_STATUS: Mapping[str, int] = {
    "CURSOR_EXPIRED": 410,
    "ETAG_MISMATCH": 409,
    "FILE_TOO_LARGE": 413,
    # The service is full. It is not the caller's fault, unlike a quota.
    "OVERLOADED": 503,
    "STORAGE_FULL": 507,
}

# The text of these codes may contain anything, such as a connection string, and is never sent to a client.
_INTERNAL_CODES = frozenset({StatusCode.UNKNOWN, StatusCode.INTERNAL, StatusCode.DATA_LOSS})

# Messages for statuses that gRPC itself creates, because its own text contains addresses.
_GRPC_MESSAGES: Mapping[StatusCode, str] = {
    StatusCode.DEADLINE_EXCEEDED: "The service did not respond in time.",
    StatusCode.NOT_FOUND: "Not found.",
    StatusCode.PERMISSION_DENIED: "Permission denied.",
    StatusCode.UNAUTHENTICATED: "Send a valid access token.",
    StatusCode.RESOURCE_EXHAUSTED: "The service is overloaded. Try again later.",
    StatusCode.UNIMPLEMENTED: "The service does not support this call.",
    StatusCode.UNAVAILABLE: "The service is unavailable. Try again.",
}

_DEFAULT_RETRY_SECONDS = 1.0

ClientFieldPath = Callable[[str], str | None]
"""Function that returns a field path of the request message as the client knows it."""


def http_error_from(
    error: aio.AioRpcError, client_field_path: ClientFieldPath, *, is_etag_from_header: bool = False
) -> HttpError:
    """Return the HTTP error for a failed call, with one detail for each violation, or one for the error itself.

    If the etag came from If-Match, ETAG_MISMATCH is a 412 (RFC 9110 section 15.5.13), else a 409.
    """
    rich_status = read_status(error)
    # Our services attach details to every status, so that a status without details comes from gRPC itself.
    has_details = any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())
    if rich_status.code is StatusCode.CANCELLED and not has_details:
        # The gateway cancels no call whose client still waits: the server stopped during the call.
        rich_status = replace(rich_status, code=StatusCode.UNAVAILABLE, reason=StatusCode.UNAVAILABLE.name)
    message = _message(rich_status, has_details=has_details)
    violations = [
        Violation(
            violation.reason or rich_status.reason, client_field_path(violation.field), violation.message or message
        )
        for violation in rich_status.violations
    ] or [Violation(rich_status.reason, None, message)]
    # The reason and the metadata of a status are those of its first violation.
    violations[0] = replace(violations[0], metadata=rich_status.metadata)
    return HttpError(
        _http_status(rich_status, is_etag_from_header=is_etag_from_header),
        rich_status.code.name,
        message,
        violations,
        headers=_headers(rich_status),
    )


def _http_status(rich_status: RichStatus, *, is_etag_from_header: bool) -> int:
    if is_etag_from_header and rich_status.reason == "ETAG_MISMATCH":
        return 412
    return REASON_STATUS.get(rich_status.reason, HTTP_STATUS[rich_status.code.name])


def _message(rich_status: RichStatus, *, has_details: bool) -> str:
    if rich_status.code in _INTERNAL_CODES:
        return "internal error"
    return (
        rich_status.message
        if has_details and rich_status.message
        else _GRPC_MESSAGES.get(rich_status.code, "The call failed.")
    )


def _headers(rich_status: RichStatus) -> list[tuple[bytes, bytes]]:
    headers = []
    if rich_status.code is StatusCode.UNAUTHENTICATED:
        headers.append((b"www-authenticate", b"Bearer"))
    retry_seconds = rich_status.retry_after_seconds
    if retry_seconds is None and rich_status.code is StatusCode.UNAVAILABLE:
        retry_seconds = _DEFAULT_RETRY_SECONDS
    if retry_seconds is not None:
        headers.append((b"retry-after", str(math.ceil(retry_seconds)).encode()))
    return headers
