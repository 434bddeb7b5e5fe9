"""Sender of one file to one call of UploadImport."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from grpc import aio
from taskmanager.imports.v1 import import_service_pb2 as pb

from gateway.transport.errors import http_errors

UploadCall = aio.StreamUnaryCall[Any, Any]

# The maximum size of a chunk in the contract.
_MAX_CHUNK_BYTES = 1024 * 1024


class CallEnded(Exception):
    """The service has ended the call and reads no more messages."""


class UploadSender:
    """Sender of the messages of one upload: options, chunks, finish."""

    def __init__(self, call: UploadCall, *, max_bytes: int) -> None:
        self._call = call
        self._max_bytes = max_bytes
        self.has_sent_all = False

    async def send(self, options: pb.UploadOptions, chunks: AsyncIterator[bytes]) -> None:
        """Send all messages.

        Raises:
            CallEnded: the service has ended the call.
            ClientDisconnected: the connection closed before the body ended.
            HttpError: the body is too large, too slow, or not exactly one file.

        """
        await self._write(pb.UploadImportRequest(options=options))
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self._max_bytes:
                raise http_errors.file_too_large(self._max_bytes)
            for start in range(0, len(chunk), _MAX_CHUNK_BYTES):
                await self._write(pb.UploadImportRequest(chunk=chunk[start : start + _MAX_CHUNK_BYTES]))
        self.has_sent_all = True
        await self._write(pb.UploadImportRequest(finish=pb.UploadFinish(size=size)))
        await self._call.done_writing()

    async def _write(self, message: pb.UploadImportRequest) -> None:
        try:
            await self._call.write(message)
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise CallEnded from error
