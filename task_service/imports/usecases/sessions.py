"""Sessions of the use cases about imports, as ports."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from task_service.history.usecases.ports import EventRecorder
from task_service.idempotency.records import IdempotencyRecords
from task_service.idempotency.transaction import IdempotentTransactions
from task_service.imports.usecases.ports import DryRunState, ImportQueue, Imports, Ingest, Uploads
from task_service.imports.usecases.undo_ports import Undos
from task_service.tasks.usecases.ports import Tasks


class ImportsReadSession(Protocol):
    """Connection for reads, without a transaction."""

    @property
    def uploads(self) -> Uploads: ...
    @property
    def imports(self) -> Imports: ...
    @property
    def import_queue(self) -> ImportQueue: ...
    @property
    def ingest(self) -> Ingest: ...
    @property
    def dry_run(self) -> DryRunState: ...
    @property
    def undos(self) -> Undos: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def events(self) -> EventRecorder: ...
    @property
    def idempotency(self) -> IdempotencyRecords: ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ImportsUnitOfWork(ImportsReadSession, Protocol):
    """Transaction over imports, tasks and history. Leaving it without `commit` rolls it back."""

    async def commit(self) -> None:
        """Commit the transaction."""


Begin = Callable[[], ImportsUnitOfWork]
Read = Callable[[], ImportsReadSession]
ImportTransactions = IdempotentTransactions[ImportsUnitOfWork, UUID]
"""Idempotent transactions whose response is an import's id: a replay returns the import in its current state."""
