"""Use cases that read, watch and cancel imports."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel.errors import Unavailable
from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page, PageRequest
from task_service.csv_dialect.text import csv_chunks, csv_text, unescape_formula
from task_service.idempotency.key import IdempotencyKey
from task_service.imports.domain.errors import ImportEnded, ImportNotFound, ImportStillUploading
from task_service.imports.domain.header.header import ERRORS_COLUMN
from task_service.imports.domain.imports import Import, State
from task_service.imports.domain.options.sources import Source, load_sources
from task_service.imports.domain.rows.failed_rows import ErrorReportRow, RowError
from task_service.imports.usecases.metrics import record_end
from task_service.imports.usecases.ports import ImportNotifications
from task_service.imports.usecases.unit_of_work import ImportsReadSession, ImportTransactions, Read
from task_service.tasks.domain.csv_export import csv_template

POLL_INTERVAL_SECONDS = 5.0
"""Interval at which a watcher also polls: a notification can be lost with the connection that carries it."""


async def get_visible_import(read: Read, caller: Caller, import_id: UUID) -> Import:
    """Return the import. Raises ImportNotFound also when the caller may not see it."""
    async with read() as session:
        return await find_visible_import(session, caller, import_id)


async def find_visible_import(session: ImportsReadSession, caller: Caller, import_id: UUID) -> Import:
    """Return the import as get_visible_import does, in a session that reads further data of it."""
    found = await session.imports.get(import_id)
    if found is None or not found.is_visible_to(caller):
        raise ImportNotFound
    return found


@dataclass(frozen=True, slots=True)
class GetImport:
    """Return one import."""

    read: Read

    async def __call__(self, caller: Caller, import_id: UUID) -> Import:
        return await get_visible_import(self.read, caller, import_id)


@dataclass(frozen=True, slots=True)
class ListImports:
    """Return a page of imports."""

    read: Read

    async def __call__(self, owner_id: UUID | None, request: PageRequest) -> Page[Import]:
        async with self.read() as session:
            return await session.imports.list_page(owner_id, request)


@dataclass(frozen=True, slots=True)
class ListImportErrors:
    """Return a page of an import's row errors."""

    read: Read

    async def __call__(self, caller: Caller, import_id: UUID, request: PageRequest) -> Page[RowError]:
        async with self.read() as session:
            await find_visible_import(session, caller, import_id)
            return await session.imports.list_errors(import_id, request)


@dataclass(frozen=True, slots=True)
class CancelImport:
    """Cancel an import. Its worker loses the lease, so its next batch is rejected as a whole."""

    transactions: ImportTransactions
    read: Read

    async def __call__(self, caller: Caller, import_id: UUID, key: IdempotencyKey | None = None) -> Import:
        """Return the import with its final counts. Raises ImportEnded, ImportStillUploading, ImportNotFound."""
        await get_visible_import(self.read, caller, import_id)
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                work = await transaction.begin()
                # Waits for a batch that is being committed. Its rows are in the counts; a later batch is rejected.
                is_cancelled = await work.imports.cancel(import_id)
                found = await work.imports.get(import_id)
                if found is None:
                    raise ImportNotFound
                if found.state is State.UPLOADING:
                    raise ImportStillUploading
                if found.state is not State.CANCELLED:
                    raise ImportEnded(state=found.state)
                await transaction.commit(import_id)
                if is_cancelled:
                    record_end(State.CANCELLED)
        return await get_visible_import(self.read, caller, import_id)


@dataclass(frozen=True, slots=True)
class DownloadImportErrors:
    """Yield the rejected rows as CSV text."""

    read: Read
    page_rows: int = 200

    async def __call__(self, caller: Caller, import_id: UUID, delimiter: str) -> AsyncIterator[str]:
        async with self.read() as session:
            await find_visible_import(session, caller, import_id)
            names = await session.imports.get_column_names(import_id)
        # A file that was downloaded as errors.csv before already has the column.
        width = len(names) - (bool(names) and names[-1].strip() == ERRORS_COLUMN)
        yield csv_text([[*names[:width], ERRORS_COLUMN]], delimiter)
        after = 0
        while True:
            async with self.read() as session:  # one session per page: a slow client must not hold a connection
                rows = await session.imports.list_failed_rows(import_id, after, self.page_rows)
            if not rows:
                return
            for piece in csv_chunks((_rejected_row(row, names, width) for row in rows), delimiter):
                yield piece
            after = rows[-1].record


def _rejected_row(row: ErrorReportRow, names: Sequence[str], width: int) -> Sequence[str]:
    # Neutralising apostrophes of an earlier errors.csv are removed, because this download adds them again. Surplus
    # cells go to the end, so that the row keeps its error until it is corrected.
    cells = [unescape_formula(cell) for cell in row.cells]
    return [*cells[:width], f"line {row.line}: {' '.join(row.messages)}", *cells[len(names) :]]


@dataclass(frozen=True, slots=True)
class DownloadImportTemplate:
    """Yield a CSV template."""

    async def __call__(self, delimiter: str) -> AsyncIterator[str]:
        yield csv_template(delimiter)


@dataclass(frozen=True, slots=True)
class ListImportSources:
    """Return the tools whose files are known."""

    def __call__(self) -> Sequence[Source]:
        return list(load_sources().values())


@dataclass(frozen=True, slots=True)
class WatchImport:
    """Yield the import now and after each change, until its final state or the end of its undo.

    Raises Unavailable when this process is draining: the client reconnects to another one.
    """

    read: Read
    notifications: ImportNotifications
    is_draining: Callable[[], bool]

    async def __call__(self, caller: Caller, import_id: UUID) -> AsyncIterator[Import]:
        last: Import | None = None
        with self.notifications.subscribe(import_id) as changed:
            while last is None or not last.is_over:
                if self.is_draining():
                    raise Unavailable
                found = await get_visible_import(self.read, caller, import_id)
                if found != last:
                    last = found
                    yield found
                if not found.is_over:
                    await changed.wait(POLL_INTERVAL_SECONDS)
