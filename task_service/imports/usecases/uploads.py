"""Use case that uploads a file. The file is stored completely and known to the database, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.errors import DomainError
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.access import owner_for
from task_service.history.domain.events import Actor
from task_service.idempotency.key import IdempotencyKey
from task_service.imports.domain.duplicate_file import DuplicateFile
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import UploadIncomplete
from task_service.imports.domain.header.header import HeaderLimits, HeaderScanner
from task_service.imports.domain.imports import Defaults, Import, NewImport
from task_service.imports.domain.options.upload_options import UploadOptions, check_file_name
from task_service.imports.domain.storage_quota import StorageQuota, StoredBytes
from task_service.imports.usecases.assignees import find_assignees
from task_service.imports.usecases.imports import get_visible_import
from task_service.imports.usecases.incoming_file import Finish, IncomingFile
from task_service.imports.usecases.ports import ObjectStore, Uploads
from task_service.imports.usecases.unit_of_work import Begin, ImportTransactions, Read
from task_service.imports.usecases.upload_cleanup import delete_upload, object_key
from task_service.imports.usecases.upload_request import UploadRequest, resolve_options
from task_service.tasks.domain.errors import UnknownAssignee
from task_service.tasks.usecases.ports import UserDirectory


@dataclass(frozen=True, slots=True)
class UploadImport:
    """Store a file and queue its import.

    The row is inserted first, in state uploading, so that the cleanup can find every stored file. It becomes queued
    only when the last byte is durable. The wake-up after that may be lost, because the dispatcher also polls.
    """

    transactions: ImportTransactions
    begin: Begin
    read: Read
    user_directory: UserDirectory
    store: ObjectStore
    now: Clock
    new_id: NewId
    max_upload_bytes: int
    quota: StorageQuota
    header_limits: HeaderLimits
    notify_queued: Callable[[], None]

    async def __call__(self, caller: Caller, request: UploadRequest, parts: AsyncIterator[bytes | Finish]) -> Import:
        """Return the queued import; for a replay, the import of the first upload in its current state."""
        check_file_name(request.file_name)
        request = request._replace(options=await resolve_options(self.read, caller, request))
        scanner = HeaderScanner(request.options, self.header_limits)
        incoming = IncomingFile(parts, scanner, self.max_upload_bytes, self.quota)
        if request.key is not None and await self.transactions.is_key_used(caller, request.key.key):
            return await self._replay(caller, request.key, incoming)
        new = await self._new_import(caller, request)
        try:
            # Inside `try`: a call that is cancelled during the commit would otherwise leave the row in the table.
            stored = await self._insert(new)
            etag = await self.store.put(object_key(new.id), incoming.chunks(stored))
            import_id = await self._queue(caller, request, new, incoming, etag)
        except BaseException:
            await self._discard(new.id)
            raise
        if import_id != new.id:  # a concurrent upload with the same key was first
            await self._discard(new.id)
        self.notify_queued()
        return await get_visible_import(self.read, caller, import_id)

    async def _new_import(self, caller: Caller, request: UploadRequest) -> NewImport:
        return NewImport(
            id=self.new_id(),
            owner_id=owner_for(caller, request.owner_id),
            actor=Actor.from_caller(caller),
            file_name=request.file_name,
            created_at=self.now(),
            validate_only=request.options.validate_only,
            max_errors=request.options.max_errors,
            defaults=await self._resolve_defaults(request.options),
            on_duplicate=request.options.on_duplicate or OnDuplicate.FAIL,
        )

    async def _insert(self, new: NewImport) -> StoredBytes:
        """Insert the import; return the size of the files that are already stored."""
        async with self.read() as session:
            stored = await _stored_bytes(session.uploads, new.owner_id)
        async with self.begin() as work:
            await work.uploads.add(new)
            await work.commit()
        return stored

    async def _queue(
        self, caller: Caller, request: UploadRequest, new: NewImport, incoming: IncomingFile, etag: str
    ) -> UUID:
        """Queue the import. Return its id, or that of a concurrent upload with the same key."""
        stored = incoming.stored_upload(etag)
        key = request.key and request.key.with_content(stored.sha256)
        async with self.transactions.open(caller, key) as transaction:
            if not transaction.is_replay:
                work = await transaction.begin()
                if not (request.options.allow_same_file or request.options.validate_only):
                    duplicate = await work.uploads.find_duplicate_file(new.id, stored.sha256)
                    if duplicate is not None:
                        raise DuplicateFile(duplicate)
                # Checked again: another upload may have finished since the first check.
                self.quota.check(await _stored_bytes(work.uploads, new.owner_id), stored.size)
                if not await work.uploads.queue(new.id, incoming.header(), stored):
                    raise UploadIncomplete
                await transaction.commit(new.id)
        return transaction.response

    async def _replay(self, caller: Caller, key: IdempotencyKey, incoming: IncomingFile) -> Import:
        """Read a repeated upload without storing it. Raises IdempotencyKeyReused for another file or other options."""
        async for _ in incoming.chunks(StoredBytes()):
            pass
        async with self.transactions.open(caller, key.with_content(incoming.stored_upload("").sha256)) as transaction:
            import_id = transaction.response
        return await get_visible_import(self.read, caller, import_id)

    async def _discard(self, import_id: UUID) -> None:
        """Delete the upload. If that fails, the cleanup deletes it later, and the caller gets the first error.

        When a client vanishes, its stream can end shortly before the call is cancelled. The cancellation then arrives
        during the deletion and must not stop it.
        """
        deletion = asyncio.ensure_future(self._delete_if_available(import_id))
        try:
            await asyncio.shield(deletion)
        except asyncio.CancelledError:
            await asyncio.wait({deletion})
            deletion.result()  # an unexpected error is logged, as without the cancellation
            raise

    async def _delete_if_available(self, import_id: UUID) -> None:
        with suppress(DomainError):
            await delete_upload(self.begin, self.store, import_id)

    async def _resolve_defaults(self, options: UploadOptions) -> Defaults:
        name = options.default_assignee
        ids = await find_assignees(self.user_directory, {name}) if name else {}
        if name and name not in ids:
            raise UnknownAssignee(field="default_assignee")
        return Defaults(options.default_status, ids.get(name), options.default_labels)


async def _stored_bytes(uploads: Uploads, owner_id: UUID) -> StoredBytes:
    return StoredBytes(of_owner=await uploads.stored_bytes(owner_id), of_all=await uploads.stored_bytes_of_all())
