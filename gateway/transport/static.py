"""Answers that do not change while the process lives."""

from hashlib import sha256

from starlette.types import Send

from gateway.transport import failure
from gateway.transport.answer import PUBLIC, not_modified, respond
from gateway.transport.conditions import matches
from gateway.transport.incoming import Incoming


class Static:
    """One such answer. A client may keep it, but asks each time whether it is still the one: a 304 costs nothing."""

    def __init__(self, body: bytes, media_type: bytes, *, headers: failure.Headers = ()) -> None:
        self._body = body
        self._media_type = media_type
        self._etag = b'"' + sha256(body).hexdigest()[:32].encode() + b'"'
        self._headers = [(b"etag", self._etag), PUBLIC, *headers]

    async def __call__(self, incoming: Incoming, send: Send) -> None:
        if matches(incoming.header(b"if-none-match"), self._etag):
            await not_modified(send, self._headers)
            return
        await respond(send, 200, self._body, media_type=self._media_type, headers=self._headers)
