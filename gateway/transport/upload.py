"""The CSV upload: what http rules can't say. One HTTP body becomes one client stream and is never held as a whole."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

import structlog
from grpc import aio
from starlette.types import Send
from taskmanager.imports.v1 import import_service_pb2 as pb

from gateway.transcoding.encode import Convert, to_json
from gateway.transcoding.places import KEY
from gateway.transcoding.query import QueryBinder
from gateway.transcoding.violations import Violations
from gateway.transport import failure, packed
from gateway.transport.answer import respond
from gateway.transport.conditions import RequestConditions
from gateway.transport.incoming import Incoming
from gateway.transport.status import failure_of
from gateway.transport.unary import location_header
from gateway.transport.uploaded_file import UploadedFile, charset, file_in_form

RPC = "taskmanager.imports.v1.ImportService.UploadImport"
OPTIONS = pb.UploadOptions.DESCRIPTOR

Call = aio.StreamUnaryCall[Any, Any]

MULTIPART = b"multipart/form-data"
CSV = b"text/csv"

# The contract's limit for a message of the stream.
_CHUNK = 1024 * 1024
# What boundaries, part headers and a polite preamble may take beside the file.
_MULTIPART_EXTRA = 64 * 1024


log = structlog.get_logger("upload")


class _CallEnded(Exception):
    """The service has answered and reads no further."""


class UploadEndpoint:
    """Answers the bindings of UploadImport. Query parameters are the fields of UploadOptions, the key is a header.

    Finish goes out only after the client's body has ended as it promised to: a client that goes away, or a gateway
    that is killed, leaves a stream without Finish, and that is no upload.
    """

    def __init__(
        self,
        *,
        call: aio.StreamUnaryMultiCallable[Any, Any],
        encode: Convert,
        success_status: int,
        location: str | None,
        limit: int,
        idle_seconds: float,
        answer_seconds: float,
        conditions: RequestConditions,
    ) -> None:
        self._call = call
        self._encode = encode
        self._success_status = success_status
        self._location = location
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._answer_seconds = answer_seconds
        self._conditions = conditions
        # The key is a header's business: in a URL it would stand in every log.
        self._query = QueryBinder(field for field in OPTIONS.fields if field.name != KEY)

    async def __call__(self, incoming: Incoming, send: Send) -> None:
        options = self._options(incoming.query)
        self._conditions.apply(options, incoming)
        # Nothing is asked of the service before there is a file.
        file = await self._file(incoming)
        options.file_name = options.file_name or file.name
        options.encoding = options.encoding or file.encoding
        async with aclosing(file.chunks) as chunks:
            answer = await self._exchange(self._call(metadata=incoming.metadata()), options, chunks)
        headers = location_header(self._location, answer)
        await respond(send, self._success_status, to_json(self._encode(answer)), headers=headers)

    async def _exchange(self, call: Call, options: pb.UploadOptions, chunks: AsyncIterator[bytes]) -> Any:
        transfer = _Transfer(call, limit=self._limit)
        sending = asyncio.ensure_future(transfer.run(options, chunks))
        answering = asyncio.ensure_future(_answer(call))
        try:
            # Whichever comes first: a service that refuses the header line is not sent the rest of a gigabyte.
            await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                await self._settle(sending, answering)
            answer = answering.result()
        except aio.AioRpcError as error:
            raise failure_of(error, _spell) from error
        finally:
            call.cancel()
            for task in (sending, answering):
                task.cancel()
            await asyncio.gather(sending, answering, return_exceptions=True)
        if not transfer.is_whole:
            log.error("the service took an upload that was not finished")
            raise failure.internal()
        return answer

    async def _settle(self, sending: asyncio.Future[None], answering: asyncio.Future[Any]) -> None:
        """The client has sent all it will. If that was the whole file, the service has its time to answer."""
        with suppress(_CallEnded):
            await sending
        _, waiting = await asyncio.wait({answering}, timeout=self._answer_seconds)
        if waiting:
            raise failure.upstream_too_slow()

    def _options(self, query: bytes) -> pb.UploadOptions:
        violations = Violations()
        fields = self._query.fields(query, violations)
        violations.settle()
        return pb.UploadOptions(**fields)

    async def _file(self, incoming: Incoming) -> UploadedFile:
        content_type = incoming.header(b"content-type")
        media_type = content_type.partition(b";")[0].strip().lower()
        if media_type not in {MULTIPART, CSV}:
            raise failure.unsupported_media_type("text/csv, or multipart/form-data with a part named 'file'")
        is_packed = self._is_packed(incoming, media_type)
        most = packed.longest_packed(self._limit) if is_packed else self._limit
        if media_type == MULTIPART:
            most += _MULTIPART_EXTRA
        if (incoming.content_length() or 0) > most:
            raise failure.file_too_large(self._limit)
        chunks = self._limited(incoming, most)
        if media_type == MULTIPART:
            return await file_in_form(content_type, chunks)
        return UploadedFile("", packed.unpacked(chunks) if is_packed else chunks, charset(content_type))

    def _is_packed(self, incoming: Incoming, media_type: bytes) -> bool:
        """Whether the body is gzip, which only a raw one may be."""
        encoding = incoming.header(b"content-encoding").strip().lower()
        if encoding in {b"", b"identity"}:
            return False
        if media_type == CSV and encoding in packed.NAMES:
            return True
        raise failure.unsupported_encoding("gzip" if media_type == CSV else "identity")

    async def _limited(self, incoming: Incoming, most: int) -> AsyncGenerator[bytes]:
        received = 0
        async for chunk in incoming.chunks(idle_seconds=self._idle_seconds):
            received += len(chunk)
            if received > most:
                raise failure.file_too_large(self._limit)
            yield chunk


class _Transfer:
    """One file on its way into one call."""

    def __init__(self, call: Call, *, limit: int) -> None:
        self._call = call
        self._limit = limit
        self.is_whole = False

    async def run(self, options: pb.UploadOptions, chunks: AsyncIterator[bytes]) -> None:
        """Sends options, chunks and Finish.

        Raises:
            _CallEnded: the service reads no further.
            ClientGone: the client's body broke off.
            Failure: the body is too large, too slow, or holds something else than one file.

        """
        await self._write(pb.UploadImportRequest(options=options))
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self._limit:
                raise failure.file_too_large(self._limit)
            for at in range(0, len(chunk), _CHUNK):
                await self._write(pb.UploadImportRequest(chunk=chunk[at : at + _CHUNK]))
        self.is_whole = True
        await self._write(pb.UploadImportRequest(finish=pb.UploadFinish(size=size)))
        await self._call.done_writing()

    async def _write(self, message: pb.UploadImportRequest) -> None:
        try:
            await self._call.write(message)
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise _CallEnded from error


async def _answer(call: Call) -> Any:
    return await call


def _spell(field: str) -> str | None:
    """Options are query parameters; the client has never seen the messages that they travel in."""
    return field.removeprefix("options.") or None
