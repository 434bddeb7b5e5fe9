"""Unit of work and read session of the use cases about imports, as ports."""

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from chassis.kernel.sessions import ReadSession, UnitOfWork
from task_service.history.usecases.ports import EventRecorder
from task_service.idempotency.records import IdempotencyRecords
from task_service.idempotency.transaction import IdempotentTransactions
from task_service.imports.usecases.ports import DryRunState, ImportQueue, Imports, Ingest, Uploads
from task_service.imports.usecases.undo_ports import Undos
from task_service.tasks.usecases.ports import Tasks


class ImportsReadSession(ReadSession, Protocol):
    """Repositories for reads."""

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


class ImportsUnitOfWork(ImportsReadSession, UnitOfWork, Protocol):
    """Repositories of imports, tasks and history in one transaction."""


Begin = Callable[[], ImportsUnitOfWork]
Read = Callable[[], ImportsReadSession]
ImportTransactions = IdempotentTransactions[ImportsUnitOfWork, UUID]
"""Idempotent transactions whose response is an import's id: a replay returns the import in its current state."""
