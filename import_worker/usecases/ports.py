"""Ports of the use cases."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from import_worker.domain.batch import Batch, FinishReason
from import_worker.domain.errors import UnreadableFile
from import_worker.domain.lease import Lease, Progress


class IngestStream(Protocol):
    """Open stream of batches under one lease."""

    async def send(self, batch: Batch) -> None:
        """Send a batch without waiting for its acknowledgement."""

    async def finish(self, reason: FinishReason | UnreadableFile) -> None:
        """Send the last message: no more batches follow, for this reason."""

    async def receive(self) -> Progress:
        """Wait for the next report. The server sends one when the stream opens, one per batch, and one for finish."""


class IngestClient(Protocol):
    """Client of the service that owns the imports.

    Every method, and every context manager when it is left, raises:
        LeaseLost: another worker holds the lease.
        ConnectionLost: the call was interrupted, or no message arrived before the read timeout.
        RequestRejected: the server rejects the request, and would reject it again.
    """

    async def claim(self) -> Lease | None:
        """Lease the next import; None if no import is waiting."""

    def read_upload(self, lease: Lease, offset: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open the uploaded file at a byte offset. Leaving the context ends the call."""

    def open_stream(self, lease: Lease) -> AbstractAsyncContextManager[IngestStream]:
        """Open a stream of batches. Leaving the context ends the call."""
