"""The one error body, and every error that the gateway itself gives."""

import math
from collections.abc import Sequence
from typing import Any

from gateway.transcoding.encode import to_json
from gateway.transcoding.violations import InvalidRequest, Violation, printable

Headers = Sequence[tuple[bytes, bytes]]


class Failure(Exception):
    """An answer that is no success. `status` is a code's name in google.rpc, whatever the HTTP status is."""

    def __init__(
        self,
        http_status: int,
        status: str,
        message: str,
        details: Sequence[Violation],
        *,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.status = status
        self.message = message
        self.details = tuple(details)
        self.headers = headers

    def body(self, request_id: str) -> dict[str, Any]:
        """The error body, the same wherever an error comes from."""
        return {
            "error": {
                "code": self.http_status,
                "status": self.status,
                "message": self.message,
                "request_id": request_id,
                "details": [
                    {"reason": detail.reason, "field": detail.field, "message": detail.message}
                    for detail in self.details
                ],
            }
        }

    def to_json(self, request_id: str) -> bytes:
        """The error body's bytes."""
        return to_json(self.body(request_id))


def invalid(request: InvalidRequest) -> Failure:
    """What is wrong with a request as an answer."""
    return Failure(400, "INVALID_ARGUMENT", summary(request.violations), request.violations)


def summary(violations: Sequence[Violation]) -> str:
    """The first few violations in one line, for people who see no more than the message."""
    return " ".join(f"{one.field}: {one.message}" if one.field else one.message for one in violations[:3])


def _single(
    http_status: int, status: str, reason: str, message: str, *, field: str | None = None, headers: Headers = ()
) -> Failure:
    return Failure(http_status, status, message, [Violation(reason, field, message)], headers=headers)


def not_found() -> Failure:
    """No route has this path."""
    return _single(404, "NOT_FOUND", "ROUTE_NOT_FOUND", "There is nothing at this path. /docs tells what there is.")


def method_not_allowed(allowed: Sequence[str]) -> Failure:
    """The path exists, the method does not (RFC 9110 section 15.5.6)."""
    names = ", ".join(allowed)
    headers = [(b"allow", names.encode())]
    message = f"This path answers {names}."
    return _single(405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED", message, headers=headers)


def too_slow() -> Failure:
    """The client keeps the gateway waiting for its body."""
    return _single(408, "DEADLINE_EXCEEDED", "REQUEST_TIMEOUT", "The request's body did not arrive in time.")


def body_too_large(limit: int) -> Failure:
    """A JSON body over the limit."""
    return _single(413, "RESOURCE_EXHAUSTED", "BODY_TOO_LARGE", f"The body may have {limit} bytes at the most.")


def file_too_large(limit: int) -> Failure:
    """An upload over the limit."""
    message = f"The file may have {limit} bytes at the most."
    return _single(413, "RESOURCE_EXHAUSTED", "FILE_TOO_LARGE", message, field="file")


def unsupported_media_type(wanted: str) -> Failure:
    """The body is of a kind that this path does not take."""
    return _single(415, "INVALID_ARGUMENT", "UNSUPPORTED_MEDIA_TYPE", f"The body must be {wanted}.")


def unsupported_encoding(wanted: str = "identity") -> Failure:
    """The body is compressed, or in a way that is not taken (RFC 9110 section 15.5.16)."""
    message = f"The body must come {'without a' if wanted == 'identity' else f'with {wanted} or no'} Content-Encoding."
    headers = [(b"accept-encoding", wanted.encode())]
    return _single(415, "INVALID_ARGUMENT", "UNSUPPORTED_ENCODING", message, headers=headers)


def malformed_header(name: str) -> Failure:
    """A header that can't be meant as it stands."""
    message = f"The header {name} is given more than once, is too long or holds something unprintable."
    return _single(400, "INVALID_ARGUMENT", "MALFORMED_HEADER", message)


def malformed_etag() -> Failure:
    """A precondition that holds no entity tag, or a weak one, which is never the same (RFC 9110 section 13.1.1)."""
    message = 'If-Match takes one entity tag in quotes, such as "2", or *.'
    return _single(400, "INVALID_ARGUMENT", "MALFORMED_HEADER", message)


def malformed_http() -> Failure:
    """What the parser can't read."""
    return _single(400, "INVALID_ARGUMENT", "MALFORMED_HTTP", "This is no HTTP request.")


def wrong_host() -> Failure:
    """It is not clear for whom a request is."""
    return _single(400, "INVALID_ARGUMENT", "WRONG_HOST", "A request names its host in one Host header.")


def upgrade_with_body() -> Failure:
    """A body that would belong to another protocol."""
    message = "No upgrade is offered here: send the body without asking for one."
    return _single(400, "INVALID_ARGUMENT", "UPGRADE_NOT_OFFERED", message)


def target_too_long(limit: int) -> Failure:
    """A path and query over the limit (RFC 9110 section 15.5.15)."""
    return _single(414, "RESOURCE_EXHAUSTED", "URL_TOO_LONG", f"The URL may have {limit} bytes at the most.")


def headers_too_large(headers: int, limit: int) -> Failure:
    """Header lines over the limit (RFC 6585 section 5)."""
    message = f"There may be {headers} headers of {limit} bytes at the most, the URL included."
    return _single(431, "RESOURCE_EXHAUSTED", "HEADERS_TOO_LARGE", message)


def contradicting_header(name: str) -> Failure:
    """A header that says something else than the request itself."""
    return _single(400, "INVALID_ARGUMENT", "CONTRADICTING_HEADER", f"The header {name} and the body differ.")


def malformed_upload(reason: str, message: str, field: str | None = None) -> Failure:
    """A multipart body that holds something else than one file."""
    return _single(400, "INVALID_ARGUMENT", reason, message, field=printable(field) if field else None)


def too_many_calls(wait: float) -> Failure:
    """More calls than an address may make (RFC 6585 section 4)."""
    message = "Too many calls have come from your address; wait a moment before the next one."
    headers = [(b"retry-after", str(math.ceil(wait)).encode())]
    return _single(429, "RESOURCE_EXHAUSTED", "TOO_MANY_CALLS", message, headers=headers)


def not_ready(details: Sequence[str]) -> Failure:
    """Some of what the gateway needs does not serve."""
    violations = [Violation("NOT_SERVING", None, f"{name} does not serve.") for name in details]
    return Failure(503, "UNAVAILABLE", summary(violations), violations, headers=[(b"retry-after", b"1")])


def upstream_too_slow() -> Failure:
    """The service does not answer."""
    return _single(504, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "The service did not answer in time.")


def stopping() -> Failure:
    """The process is going away; another one may answer."""
    message = "The gateway is stopping. Ask again."
    return _single(503, "UNAVAILABLE", "STOPPING", message, headers=[(b"retry-after", b"1")])


def internal() -> Failure:
    """Something that must not happen. The log has it under the request id; the client gets none of it."""
    return _single(500, "INTERNAL", "INTERNAL", "internal error")
