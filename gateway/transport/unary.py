"""Rpcs that take one message and answer one."""

from typing import Any

import grpc
from grpc import aio
from starlette.types import Send

from gateway.clients.upstream import Metadata
from gateway.transcoding.bind import RequestBinder
from gateway.transcoding.encode import Convert, to_json
from gateway.transport import failure
from gateway.transport.answer import PUBLIC, REVALIDATED, not_modified, respond
from gateway.transport.conditions import AnswerTag, RequestConditions, matches
from gateway.transport.incoming import Incoming
from gateway.transport.status import failure_of


class JsonBody:
    """Reads the body of requests that carry JSON."""

    def __init__(self, *, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds

    async def read(self, incoming: Incoming) -> bytes:
        """The body's bytes. A body without a content type is taken for JSON.

        Raises:
            ClientGone: the connection ended before the body did.
            Failure: the body is of another kind, too large or too late.

        """
        media_type = incoming.header(b"content-type").partition(b";")[0].strip().lower()
        if media_type not in {b"", b"application/json"}:
            raise failure.unsupported_media_type("application/json")
        if incoming.header(b"content-encoding").lower() not in {b"", b"identity"}:
            raise failure.unsupported_encoding()
        return await incoming.body(limit=self._limit, seconds=self._seconds)


class UnaryEndpoint:
    """Answers one binding of one unary rpc."""

    def __init__(
        self,
        *,
        bind: RequestBinder,
        call: aio.UnaryUnaryMultiCallable[Any, Any],
        encode: Convert,
        body: JsonBody,
        timeout: float,
        is_idempotent: bool,
        is_public: bool,
        success_status: int,
        location: str | None,
        conditions: RequestConditions,
        tag: AnswerTag,
    ) -> None:
        self._bind = bind
        self._call = call
        self._encode = encode
        self._body = body
        self._timeout = timeout
        self._is_idempotent = is_idempotent
        self._caching = PUBLIC if is_public else REVALIDATED
        self._success_status = success_status
        self._location = location
        self._conditions = conditions
        self._tag = tag

    async def __call__(self, incoming: Incoming, send: Send) -> None:
        body = await self._body.read(incoming) if self._bind.takes_body else b""
        request = self._bind(incoming.values, incoming.query, body)
        by_header = self._conditions.apply(request, incoming)
        metadata = incoming.metadata()
        try:
            answer = await self._ask(request, metadata)
        except aio.AioRpcError as error:
            raise failure_of(error, self._bind.spell, by_header=by_header) from error
        body = to_json(self._encode(answer))
        headers = [*location_header(self._location, answer)]
        if tag := self._tag.of(answer, body, digest=self._is_idempotent):
            headers.append((b"etag", tag))
            # Of a change, the tag is for the next If-Match: what was answered to it is nobody's to keep.
            if self._is_idempotent:
                headers.append(self._caching)
                if matches(incoming.header(b"if-none-match"), tag):
                    await not_modified(send, headers)
                    return
        await respond(send, self._success_status, body, headers=headers)

    async def _ask(self, request: Any, metadata: Metadata) -> Any:
        """Calls, and once more if a server that is going away cancelled what may be repeated.

        gRPC itself repeats UNAVAILABLE; in a rolling restart a few calls in ten thousand end as CANCELLED, and nobody
        here cancels a unary call.
        """
        try:
            return await self._call(request, metadata=metadata, timeout=self._timeout)
        except aio.AioRpcError as error:
            if not self._is_idempotent or error.code() is not grpc.StatusCode.CANCELLED:
                raise
        return await self._call(request, metadata=metadata, timeout=self._timeout)


def location_header(location: str | None, answer: Any) -> failure.Headers:
    """Where the answered resource can be read, for what makes one (RFC 9110 section 15.3.2)."""
    return [(b"location", f"{location}{answer.id}".encode())] if location else ()
