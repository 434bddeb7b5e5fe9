"""Error responses of the protocol itself, for requests that never reach the application."""

from http import HTTPStatus

from gateway.transport.errors.http_errors import Headers, HttpError
from gateway.transport.responses.send import response_start


def render_error(
    error: HttpError, request_id: str, headers: Headers, *, is_last: bool = True, has_body: bool = True
) -> bytes:
    """Return the bytes of the whole response, with further headers.

    The last response of a connection says so. The response to HEAD has no body.
    """
    body = error.to_json(request_id)
    all_headers = response_start(
        error.http_status,
        [
            *error.headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode()),
            *headers,
            *([(b"connection", b"close")] if is_last else []),
        ],
    )["headers"]
    status = b"HTTP/1.1 %d %b" % (error.http_status, HTTPStatus(error.http_status).phrase.encode())
    return b"\r\n".join([status, *(b"%b: %b" % header for header in all_headers), b"", body if has_body else b""])
