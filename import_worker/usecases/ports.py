"""What the use cases need of the outside."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from import_worker.domain.batches import Batch, Ending
from import_worker.domain.checkpoints import Lease, Progress
from import_worker.domain.errors import UnreadableFile


class IngestStream(Protocol):
    """One open stream of batches under a lease."""

    def send(self, batch: Batch) -> None:
        """Hand over a batch without waiting for its answer."""

    def finish(self, ending: Ending | UnreadableFile) -> None:
        """Say that no more batches follow, and why."""

    def answer(self) -> Progress:
        """Wait for the server's next word: one when the stream opens, then one for each batch and for the finish.

        Raises:
            LeaseLost: the lease is somebody else's.
            ConnectionCut: the stream ended, or nothing was heard for too long.
            Refused: the server does not accept what was sent.

        """


class Ingest(Protocol):
    """The service that owns the imports."""

    def claim(self) -> Lease | None:
        """Lease the import whose turn it is; None when nothing waits. Raises ConnectionCut and Refused."""

    def read(self, lease: Lease, offset: int) -> AbstractContextManager[Iterable[bytes]]:
        """Read the uploaded file from a byte on. Iterating raises what IngestStream.answer does."""

    def stream(self, lease: Lease) -> AbstractContextManager[IngestStream]:
        """Open a stream. Leaving the context ends it, whatever state it is in."""


class Stopping(Protocol):
    """Tells whether this process has been asked to stop."""

    def __call__(self) -> bool: ...
