"""Looking at imports."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel import Caller, Page, PageRequest, Unavailable
from task_service.domain.errors import ImportNotFound
from task_service.domain.imports import Import, RowError
from task_service.usecases.ports import ImportSignals, Reading

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
class WatchImport:
    """The import now and after each change, up to its final state.

    Unavailable when this process is about to stop: whoever asks again is answered by another one.
    """

    get_import: GetImport
    signals: ImportSignals
    draining: Callable[[], bool]

    async def __call__(self, caller: Caller, import_id: UUID) -> AsyncIterator[Import]:
        told: Import | None = None
        with self.signals.subscribe(import_id) as changed:
            while told is None or not told.state.is_final:
                if self.draining():
                    raise Unavailable
                found = await self.get_import(caller, import_id)
                if found != told:
                    told = found
                    yield found
                if not found.state.is_final:
                    await changed.wait(LOOK_AGAIN_SECONDS)
