"""The error body, and every error that the gateway itself raises."""

import math
from collections.abc import Sequence
from typing import Any

from chassis.kernel.suggestions import did_you_mean
from gateway.transcoding.http.upload_form import FILE_PART
from gateway.transcoding.json_codec.encoder import to_json
from gateway.transcoding.violations import InvalidRequest, Violation, printable_name

Headers = Sequence[tuple[bytes, bytes]]


class HttpError(Exception):
    """An error response. `status` is the name of a code in google.rpc.Code, whatever the HTTP status is."""

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
        """Return the error body. It has the same shape for every error."""
        return {
            "error": {
                "code": self.http_status,
                "status": self.status,
                "message": self.message,
                "request_id": request_id,
                "details": [_detail(violation) for violation in self.details],
            }
        }

    def to_json(self, request_id: str) -> bytes:
        """Return the error body as JSON."""
        return to_json(self.body(request_id))


def _detail(violation: Violation) -> dict[str, Any]:
    detail: dict[str, Any] = {"reason": violation.reason, "field": violation.field, "message": violation.message}
    return detail | {"metadata": violation.metadata} if violation.metadata else detail


def invalid_request(error: InvalidRequest) -> HttpError:
    """Return the 400 for a request that does not match the contract, with all its violations."""
    return HttpError(400, "INVALID_ARGUMENT", summarize(error.violations), error.violations)


def summarize(violations: Sequence[Violation]) -> str:
    """Return the first three violations in one line, for people who read only the message."""
    return " ".join(
        f"{violation.field}: {violation.message}" if violation.field else violation.message
        for violation in violations[:3]
    )


def _error(
    http_status: int, status: str, reason: str, message: str, *, field: str | None = None, headers: Headers = ()
) -> HttpError:
    return HttpError(http_status, status, message, [Violation(reason, field, message)], headers=headers)


def route_not_found(suggestions: Sequence[str]) -> HttpError:
    """Return the 404 for a path without a route. It names the paths that resemble it."""
    return _error(404, "NOT_FOUND", "ROUTE_NOT_FOUND", f"No such path.{did_you_mean(suggestions)} See /docs.")


def method_not_allowed(allowed: Sequence[str]) -> HttpError:
    """Return the 405 for a path whose routes have other methods (RFC 9110 section 15.5.6)."""
    methods = ", ".join(allowed)
    headers = [(b"allow", methods.encode())]
    message = f"This path does not support the method. Use {methods}."
    return _error(405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED", message, headers=headers)


def origin_not_allowed() -> HttpError:
    """Return the 403 for a preflight from an unlisted origin. A browser's tools show it, but no page can read it."""
    message = "Pages of this origin may not call the API. The operator can add the origin to GATEWAY_CORS_ORIGINS."
    return _error(403, "PERMISSION_DENIED", "ORIGIN_NOT_ALLOWED", message)


def request_timeout() -> HttpError:
    """Return the 408 for a body that arrives too slowly."""
    return _error(408, "DEADLINE_EXCEEDED", "REQUEST_TIMEOUT", "The request body did not arrive in time.")


def body_too_large(max_bytes: int) -> HttpError:
    """Return the 413 for a JSON body over the limit."""
    message = f"The body is too large. Send at most {max_bytes} bytes."
    return _error(413, "RESOURCE_EXHAUSTED", "BODY_TOO_LARGE", message)


def file_too_large(max_bytes: int) -> HttpError:
    """Return the 413 for an upload over the limit."""
    message = f"The file is too large. Send at most {max_bytes} bytes."
    return _error(413, "RESOURCE_EXHAUSTED", "FILE_TOO_LARGE", message, field=FILE_PART)


def compression_ratio_too_high(max_ratio: int) -> HttpError:
    """Return the 413 for a compressed file that expands as only few real files do."""
    message = f"The file expands to more than {max_ratio} times its compressed size. Send it without compression."
    return _error(413, "RESOURCE_EXHAUSTED", "COMPRESSION_RATIO_TOO_HIGH", message, field=FILE_PART)


def unsupported_media_type(expected: str) -> HttpError:
    """Return the 415 for a Content-Type that the path does not accept."""
    return _error(415, "INVALID_ARGUMENT", "UNSUPPORTED_MEDIA_TYPE", f"The body must be {expected}.")


def unsupported_encoding(accepted: str = "identity") -> HttpError:
    """Return the 415 for a Content-Encoding that the path does not accept (RFC 9110 section 15.5.16)."""
    if accepted == "identity":
        message = "Compressed bodies are not accepted here. Send the body without a Content-Encoding."
    else:
        message = f"Unsupported Content-Encoding. Use {accepted}, or send the body without one."
    headers = [(b"accept-encoding", accepted.encode())]
    return _error(415, "INVALID_ARGUMENT", "UNSUPPORTED_ENCODING", message, headers=headers)


def malformed_header(name: str) -> HttpError:
    """Return the 400 for a repeated, oversized or unprintable header."""
    message = f"The header {name} is repeated, too long or not printable ASCII."
    return _error(400, "INVALID_ARGUMENT", "MALFORMED_HEADER", message)


def empty_header(name: str) -> HttpError:
    """Return the 400 for a header without a value, which a client sends when its own value is missing."""
    message = f"The header {name} is empty. Send a value, or leave out the header."
    return _error(400, "INVALID_ARGUMENT", "MALFORMED_HEADER", message)


def malformed_if_match() -> HttpError:
    """Return the 400 for an If-Match without exactly one entity tag."""
    message = 'If-Match must be one entity tag in quotes, such as "2", or *.'
    return _error(400, "INVALID_ARGUMENT", "MALFORMED_HEADER", message)


def unsupported_if_match() -> HttpError:
    """Return the 400 for an If-Match on a write that has no entity tag to compare (RFC 9110 section 13.1.1)."""
    message = "This call can't check If-Match. Leave out the header."
    return _error(400, "INVALID_ARGUMENT", "UNSUPPORTED_PRECONDITION", message)


def malformed_http() -> HttpError:
    """Return the 400 for bytes that the HTTP parser rejects."""
    return _error(400, "INVALID_ARGUMENT", "MALFORMED_HTTP", "Malformed HTTP request.")


def invalid_host() -> HttpError:
    """Return the 400 for a request without exactly one valid Host header."""
    return _error(400, "INVALID_ARGUMENT", "WRONG_HOST", "A request needs exactly one valid Host header.")


def unsupported_transfer_encoding() -> HttpError:
    """Return the 501 for a transfer coding other than chunked (RFC 9112 section 6.1)."""
    message = "Unsupported Transfer-Encoding. Send the body with Content-Length, or with chunked as the only coding."
    return _error(501, "UNIMPLEMENTED", "UNSUPPORTED_TRANSFER_ENCODING", message)


def url_too_long(max_bytes: int) -> HttpError:
    """Return the 414 for a path and query string over the limit (RFC 9110 section 15.5.15)."""
    message = f"The URL is too long. Send at most {max_bytes} bytes."
    return _error(414, "RESOURCE_EXHAUSTED", "URL_TOO_LONG", message)


def headers_too_large(max_headers: int, max_bytes: int) -> HttpError:
    """Return the 431 for header lines over the limits (RFC 6585 section 5)."""
    message = f"The headers are too large. Send at most {max_headers} headers and {max_bytes} bytes, URL included."
    return _error(431, "RESOURCE_EXHAUSTED", "HEADERS_TOO_LARGE", message)


def contradicting_header(name: str) -> HttpError:
    """Return the 400 for a header whose value differs from that of its field in the request."""
    message = f"The header {name} differs from the field in the request. Send one of them."
    return _error(400, "INVALID_ARGUMENT", "CONTRADICTING_HEADER", message)


def malformed_upload(reason: str, message: str, field: str | None = None) -> HttpError:
    """Return the 400 for an upload body that is not exactly one file."""
    return _error(400, "INVALID_ARGUMENT", reason, message, field=printable_name(field) if field else None)


def mistyped_personal_token() -> HttpError:
    """Return the 401 for a personal access token with a wrong checksum or format, as auth_service's own."""
    message = "The personal access token is wrong or unknown. Copy it again, or create a new one."
    return personal_token_refused("INVALID_PERSONAL_TOKEN", message)


def personal_token_refused(reason: str, message: str) -> HttpError:
    """Return the 401 for a personal access token that auth_service refused."""
    return _error(401, "UNAUTHENTICATED", reason, message, headers=[(b"www-authenticate", b"Bearer")])


def personal_tokens_unavailable() -> HttpError:
    """Return the 503 for a personal access token that nobody can check now. The token may well be valid."""
    message = "Personal access tokens can't be checked at the moment. Try again."
    return _error(503, "UNAVAILABLE", "UNAVAILABLE", message, headers=[(b"retry-after", b"1")])


def too_many_calls(retry_after_seconds: float) -> HttpError:
    """Return the 429 for an address over its rate limit (RFC 6585 section 4)."""
    message = "Too many calls from your address. Wait before the next one; see Retry-After."
    headers = [(b"retry-after", str(math.ceil(retry_after_seconds)).encode())]
    return _error(429, "RESOURCE_EXHAUSTED", "TOO_MANY_CALLS", message, headers=headers)


def too_many_connections_of_address(max_connections: int) -> HttpError:
    """Return the 429 for a connection over the limit of its address."""
    message = (
        f"Too many connections from your address. Open at most {max_connections}, and keep them for more requests."
    )
    return _error(429, "RESOURCE_EXHAUSTED", "TOO_MANY_CONNECTIONS", message, headers=[(b"retry-after", b"1")])


def too_many_connections() -> HttpError:
    """Return the 503 for a connection over the limit of the process; another process may accept it."""
    message = "The gateway has too many connections. Try again."
    return _error(503, "UNAVAILABLE", "TOO_MANY_CONNECTIONS", message, headers=[(b"retry-after", b"1")])


def overloaded() -> HttpError:
    """Return the 503 for a request that is shed. Nothing has been done for it, so any client may repeat it."""
    message = "The gateway is overloaded. Try again after the time in Retry-After."
    return _error(503, "UNAVAILABLE", "OVERLOADED", message, headers=[(b"retry-after", b"1")])


def not_ready(services: Sequence[str]) -> HttpError:
    """Return the 503 of the readiness probe of a starting process, with the services that it has not reached."""
    violations = [Violation("NOT_REACHED", None, f"{name} has not been reached since the start.") for name in services]
    return HttpError(503, "UNAVAILABLE", summarize(violations), violations, headers=[(b"retry-after", b"1")])


def upstream_timeout() -> HttpError:
    """Return the 504 for a service that does not respond in time."""
    return _error(504, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "The service did not respond in time.")


def stopping() -> HttpError:
    """Return the 503 of a process that is shutting down; another process may accept the request."""
    message = "The gateway is shutting down. Try again."
    return _error(503, "UNAVAILABLE", "STOPPING", message, headers=[(b"retry-after", b"1")])


def internal_error() -> HttpError:
    """Return the 500 for an unexpected exception. The log has it under the request id; the client sees none of it."""
    return _error(500, "INTERNAL", "INTERNAL", "internal error")
