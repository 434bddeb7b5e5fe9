"""Looking at imports, and stopping them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page
from chassis.kernel.pagination import PageRequest
from chassis.kernel.errors import Unavailable
from task_service.csv_dialect.text import csv_pieces, csv_text, plain
from task_service.idempotency.transaction import OneEffect
from task_service.imports.domain.csv_header import ERRORS_COLUMN
from task_service.imports.domain.errors import ImportEnded, ImportNotFound, ImportStillUploading
from task_service.imports.domain.failed_rows import RejectedRow, RowError
from task_service.imports.domain.imports import Import, State
from task_service.imports.usecases.ports import ImportSignals
from task_service.tasks.domain.csv_export import csv_template
from task_service.tasks.usecases.ports import Answer, Once, Reading, UnitOfWork

LOOK_AGAIN_SECONDS = 5.0
"""A watcher looks by itself this often: the connection that signals come by may just have been lost."""


@dataclass(frozen=True, slots=True)
class GetImport:
    read: Callable[[], Reading]

    async def __call__(self, caller: Caller, import_id: UUID) -> Import:
        async with self.read() as data:
            found = await data.imports.get(import_id)
        if found is None or not found.is_visible_to(caller):
            raise ImportNotFound
        return found


@dataclass(frozen=True, slots=True)
class ListImports:
    read: Callable[[], Reading]

    async def __call__(self, owner_id: UUID | None, request: PageRequest) -> Page[Import]:
        async with self.read() as data:
            return await data.imports.page(owner_id, request)


@dataclass(frozen=True, slots=True)
class ListImportErrors:
    read: Callable[[], Reading]
    get_import: GetImport

    async def __call__(self, caller: Caller, import_id: UUID, request: PageRequest) -> Page[RowError]:
        await self.get_import(caller, import_id)
        async with self.read() as data:
            return await data.imports.errors(import_id, request)


@dataclass(frozen=True, slots=True)
class CancelImport:
    """Stops an import. Whatever worker is at it loses its lease: its next batch is refused as a whole."""

    effect: OneEffect
    get_import: GetImport

    async def __call__(self, caller: Caller, import_id: UUID, once: Once | None = None) -> Import:
        """The import with the counts that it ended with. ImportEnded, ImportStillUploading, ImportNotFound."""
        await self.get_import(caller, import_id)

        async def work(unit: UnitOfWork) -> Answer:
            # Waits for a batch that is being written: its rows are in the counts, or it comes too late.
            await unit.imports.cancel(import_id)
            found = await unit.imports.get(import_id)
            if found is None:
                raise ImportNotFound
            if found.state is State.UPLOADING:
                raise ImportStillUploading
            if found.state is not State.CANCELLED:
                raise ImportEnded(state=found.state)
            return Answer(import_id=import_id)

        await self.effect.once(caller, once, work)
        return await self.get_import(caller, import_id)


@dataclass(frozen=True, slots=True)
class DownloadImportErrors:
    """The rows that were wrong as CSV text, piece by piece."""

    read: Callable[[], Reading]
    get_import: GetImport
    page_rows: int = 200

    async def __call__(self, caller: Caller, import_id: UUID) -> AsyncIterator[str]:
        await self.get_import(caller, import_id)
        async with self.read() as data:
            names = await data.imports.column_names(import_id)
        # A file that was mended once has the column already.
        width = len(names) - (bool(names) and names[-1].strip() == ERRORS_COLUMN)
        yield csv_text([[*names[:width], ERRORS_COLUMN]])
        after = 0
        while True:
            async with self.read() as data:  # for each page anew: a slow reader must not keep a connection
                rows = await data.imports.failed_rows(import_id, after, self.page_rows)
            if not rows:
                return
            for piece in csv_pieces(_handed_back(row, names, width) for row in rows):
                yield piece
            after = rows[-1].record


def _handed_back(row: RejectedRow, names: Sequence[str], width: int) -> Sequence[str]:
    # Without marks of ours, which the file may have from an errors.csv before this one: it gets them anew. Cells that
    # were too many stand behind everything: the row stays one with too many until it is mended.
    cells = [plain(cell) for cell in row.cells]
    return [*cells[:width], f"line {row.line}: {' '.join(row.messages)}", *cells[len(names) :]]


@dataclass(frozen=True, slots=True)
class DownloadImportTemplate:
    """A CSV file to begin with."""

    async def __call__(self) -> AsyncIterator[str]:
        yield csv_template()


@dataclass(frozen=True, slots=True)
class WatchImport:
    """The import now and after each change, up to its final state or the end of its undo.

    Unavailable when this process is about to stop: whoever asks again is answered by another one.
    """

    get_import: GetImport
    signals: ImportSignals
    draining: Callable[[], bool]

    async def __call__(self, caller: Caller, import_id: UUID) -> AsyncIterator[Import]:
        told: Import | None = None
        with self.signals.subscribe(import_id) as changed:
            while told is None or not told.is_over:
                if self.draining():
                    raise Unavailable
                found = await self.get_import(caller, import_id)
                if found != told:
                    told = found
                    yield found
                if not found.is_over:
                    await changed.wait(LOOK_AGAIN_SECONDS)
