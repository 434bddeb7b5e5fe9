"""Deletion of stored files: unfinished uploads, and files of ended imports."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.errors import Unavailable
from task_service.imports.usecases.ports import ObjectStore
from task_service.imports.usecases.unit_of_work import Begin, Read

MAX_FAILURES = 5
"""Maximum number of failed deletes in one run."""


def object_key(import_id: UUID) -> str:
    """Return the object key of an import's file. It contains nothing from the client."""
    return f"uploads/{import_id}.csv"


async def delete_upload(begin: Begin, store: ObjectStore, import_id: UUID) -> bool:
    """Delete the stored file of an upload and its row. Return False if the import is queued: then its file must stay.

    The row is locked first, because a commit with a lost response may have queued it. The row is deleted last, so that
    the cleanup can find the file as long as it exists. If the cleanup has already deleted the row, the bytes that
    arrived later are deleted here.
    """
    async with begin() as work:
        if not await work.uploads.lock_uploading(import_id):
            return False
        await store.delete(object_key(import_id))
        await work.uploads.delete(import_id)
        await work.commit()
    return True


@dataclass(frozen=True, slots=True)
class DeleteAbandonedUploads:
    """Delete uploads that never finished because the process that received them died."""

    begin: Begin
    read: Read
    store: ObjectStore
    now: Clock
    older_than: timedelta

    async def __call__(self) -> int:
        async with self.read() as session:
            abandoned = await session.uploads.find_abandoned(self.now() - self.older_than)
        return await _delete_each(abandoned, partial(delete_upload, self.begin, self.store))


@dataclass(frozen=True, slots=True)
class DeleteExpiredUploads:
    """Delete the files of ended imports after their retention. The imports and their row errors stay."""

    begin: Begin
    read: Read
    store: ObjectStore
    now: Clock
    retention: timedelta

    async def __call__(self) -> int:
        async with self.read() as session:
            expired = await session.uploads.find_expired(self.now() - self.retention)
        return await _delete_each(expired, self._delete_file)

    async def _delete_file(self, import_id: UUID) -> bool:
        await self.store.delete(object_key(import_id))
        async with self.begin() as work:
            await work.uploads.mark_file_deleted(import_id)
            await work.commit()
        return True


async def _delete_each(import_ids: Sequence[UUID], delete: Callable[[UUID], Awaitable[bool]]) -> int:
    """Delete the uploads one by one and return the number of deleted ones.

    A failure does not keep the others from being deleted. The first one is raised after the last upload, or after
    MAX_FAILURES: each attempt takes seconds while the store is down.
    """
    deleted = 0
    failures: list[Unavailable] = []
    for import_id in import_ids:
        try:
            deleted += await delete(import_id)
        except Unavailable as error:
            failures.append(error)
            if len(failures) == MAX_FAILURES:
                break
    if failures:
        raise failures[0]
    return deleted
