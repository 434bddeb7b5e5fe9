"""Reader of JSON request bodies."""

from gateway.transport.errors import http_errors
from gateway.transport.request.http_request import HttpRequest


class JsonBodyReader:
    """Reader with a maximum size and a timeout."""

    def __init__(self, *, max_bytes: int, timeout_seconds: float) -> None:
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds

    async def read(self, http_request: HttpRequest) -> bytes:
        """Return the bytes of the body. A body without a Content-Type counts as JSON.

        Raises:
            ClientDisconnected: the connection closed before the body ended.
            HttpError: the body is not JSON, is compressed, too large or too slow.

        """
        media_type = http_request.header(b"content-type").partition(b";")[0].strip().lower()
        if media_type not in {b"", b"application/json"}:
            raise http_errors.unsupported_media_type("application/json")
        if http_request.header(b"content-encoding").lower() not in {b"", b"identity"}:
            raise http_errors.unsupported_encoding()
        return await http_request.body(max_bytes=self._max_bytes, timeout_seconds=self._timeout_seconds)
