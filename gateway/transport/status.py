"""What a failed call upstream is in HTTP."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from grpc import StatusCode, aio

from chassis.rpc.errors import read_status
from chassis.rpc.errors import DETAILS_KEY, RichStatus
from gateway.transcoding.violations import Violation
from gateway.transport.failure import Failure

# google/rpc/code.proto says these numbers.
HTTP_STATUS: Mapping[StatusCode, int] = {
    StatusCode.CANCELLED: 499,
    StatusCode.UNKNOWN: 500,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.DEADLINE_EXCEEDED: 504,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.ABORTED: 409,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.INTERNAL: 500,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DATA_LOSS: 500,
}

# Where HTTP has a status of its own for what google.rpc files under a broader code.
REASON_STATUS: Mapping[str, int] = {"ETAG_MISMATCH": 409, "FILE_TOO_LARGE": 413, "STORAGE_FULL": 507}

# Their text may hold anything, a connection string too.
_SILENT = frozenset({StatusCode.UNKNOWN, StatusCode.INTERNAL, StatusCode.DATA_LOSS})

# For statuses that gRPC itself makes: its own text names addresses.
_FOREIGN: Mapping[StatusCode, str] = {
    StatusCode.DEADLINE_EXCEEDED: "The service did not answer in time.",
    StatusCode.NOT_FOUND: "Not found.",
    StatusCode.PERMISSION_DENIED: "Not allowed.",
    StatusCode.UNAUTHENTICATED: "A valid access token is needed.",
    StatusCode.RESOURCE_EXHAUSTED: "The service has too much to do. Try again later.",
    StatusCode.UNIMPLEMENTED: "The service does not know this call.",
    StatusCode.UNAVAILABLE: "The service can't be reached at the moment. Try again.",
}

_RETRY_SECONDS = 1.0

Spell = Callable[[str], str | None]
"""A field path of the request as the client spelt it."""


def failure_of(error: aio.AioRpcError, spell: Spell, *, by_header: bool = False) -> Failure:
    """The answer to a failed call: code by google.rpc's table, one detail a violation, or one for the error itself.

    `by_header`: the etag came as If-Match, so that another one is 412 (RFC 9110 section 15.5.13).
    """
    rich = read_status(error)
    # A status without details was made by gRPC, not by a service of ours.
    is_ours = any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())
    if rich.code is StatusCode.CANCELLED and not is_ours:
        # Nobody here cancels a call whose client still waits: the server has stopped in the middle of it.
        rich = replace(rich, code=StatusCode.UNAVAILABLE, reason=StatusCode.UNAVAILABLE.name)
    message = _message(rich, is_ours=is_ours)
    violations = [
        Violation(one.reason or rich.reason, spell(one.field), one.message or message) for one in rich.violations
    ]
    return Failure(
        412 if by_header and rich.reason == "ETAG_MISMATCH" else REASON_STATUS.get(rich.reason, HTTP_STATUS[rich.code]),
        rich.code.name,
        message,
        violations or [Violation(rich.reason, None, message)],
        headers=_headers(rich),
    )


def _message(rich: RichStatus, *, is_ours: bool) -> str:
    if rich.code in _SILENT:
        return "internal error"
    return rich.message if is_ours and rich.message else _FOREIGN.get(rich.code, "The call failed.")


def _headers(rich: RichStatus) -> list[tuple[bytes, bytes]]:
    headers = []
    if rich.code is StatusCode.UNAUTHENTICATED:
        headers.append((b"www-authenticate", b"Bearer"))
    wait = rich.retry_after
    if wait is None and rich.code is StatusCode.UNAVAILABLE:
        wait = _RETRY_SECONDS
    if wait is not None:
        headers.append((b"retry-after", str(math.ceil(wait)).encode()))
    return headers
