"""Responses that do not change while the process runs."""

from hashlib import sha256

from gateway.transport.asgi import Send
from gateway.transport.errors.http_errors import Headers
from gateway.transport.request.http_request import HttpRequest
from gateway.transport.responses.etag import etag_matches
from gateway.transport.responses.send import PUBLIC_REVALIDATE, send_not_modified, send_response


class StaticResponse:
    """Endpoint with a fixed response. Clients may cache it and revalidate it each time: a 304 is cheap."""

    def __init__(self, body: bytes, media_type: bytes, *, headers: Headers = ()) -> None:
        self._body = body
        self._media_type = media_type
        self._etag = b'"' + sha256(body).hexdigest()[:32].encode() + b'"'
        self._headers = [(b"etag", self._etag), PUBLIC_REVALIDATE, *headers]

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        if etag_matches(http_request.header(b"if-none-match"), self._etag):
            await send_not_modified(send, self._headers)
            return
        await send_response(send, 200, self._body, media_type=self._media_type, headers=self._headers)
