"""Taking a file in: stored whole and known to the database, or not at all."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.errors import Unavailable
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from task_service.history.domain.events import Actor
from task_service.idempotency.transaction import OneEffect
from task_service.imports.domain.csv_header import Header, HeaderLimits, HeaderScan
from task_service.imports.domain.errors import (
    DuplicateFile,
    EmptyFile,
    FileTooLarge,
    ImportNotFound,
    SizeMismatch,
    StorageQuotaExceeded,
    UploadIncomplete,
)
from task_service.imports.domain.imports import Defaults, Import, NewImport
from task_service.imports.domain.upload_options import UploadOptions, check_file_name
from task_service.imports.usecases.ports import ObjectStore, StoredUpload
from task_service.tasks.domain.errors import UnknownAssignee
from task_service.tasks.domain.task import owner_for
from task_service.tasks.usecases.ports import Answer, Once, Reading, UnitOfWork, UserDirectory


class UploadRequest(NamedTuple):
    """What is said before the first byte."""

    file_name: str
    owner_id: UUID | None
    options: UploadOptions
    once: Once | None = None
    """Its digest is of all that is said here; that of the file belongs to it as well."""


class Finish(NamedTuple):
    """What is said behind the last byte."""

    size: int


def object_key(import_id: UUID) -> str:
    """Where an import's file is kept. Nothing that a client says is in it."""
    return f"uploads/{import_id}.csv"


@dataclass(frozen=True, slots=True)
class UploadImport:
    """Stores a file and queues its import.

    The row comes first, in state uploading, so that whatever is stored is known to the sweeper; it becomes queued
    only when the last byte is safe. The wake-up that follows may be lost: the dispatcher looks by itself.
    """

    effect: OneEffect
    begin: Callable[[], UnitOfWork]
    read: Callable[[], Reading]
    user_directory: UserDirectory
    store: ObjectStore
    now: Clock
    new_id: NewId
    most_bytes: int
    most_kept: int
    """Bytes of all files that are stored for one owner."""
    header_limits: HeaderLimits
    queued: Callable[[], None]

    async def __call__(self, caller: Caller, request: UploadRequest, parts: AsyncIterator[bytes | Finish]) -> Import:
        check_file_name(request.file_name)
        arriving = _Arriving(parts, self.most_bytes, self.most_kept, HeaderScan(request.options, self.header_limits))
        if request.once is not None and await self.effect.has_key(caller, request.once):
            return await self._again(caller, request.once, arriving)
        owner_id = owner_for(caller, request.owner_id)
        async with self.read() as data:
            arriving.kept = await data.uploads.bytes_kept(owner_id)
        new = NewImport(
            id=self.new_id(),
            owner_id=owner_id,
            actor=Actor.of(caller),
            file_name=request.file_name,
            created_at=self.now(),
            validate_only=request.options.validate_only,
            max_errors=request.options.max_errors,
            defaults=await self._defaults(request.options),
            on_duplicate=request.options.on_duplicate,
        )
        try:
            # Within: a call that is cut off while the row commits leaves it behind otherwise.
            async with self.begin() as work:
                await work.uploads.add(new)
                await work.commit()
            etag = await self.store.put(object_key(new.id), arriving.chunks())
            stored = arriving.stored(etag)

            async def queue(unit: UnitOfWork) -> Answer:
                if not (request.options.allow_same_file or request.options.validate_only):
                    first = await unit.uploads.same_file(new.id, stored.sha256)
                    if first is not None:
                        raise DuplicateFile(import_id=first)
                # Again: others may have arrived meanwhile.
                if await unit.uploads.bytes_kept(owner_id) + stored.size > self.most_kept:
                    raise StorageQuotaExceeded(limit=self.most_kept)
                if not await unit.uploads.queue(new.id, arriving.header(), stored):
                    raise UploadIncomplete
                return Answer(import_id=new.id)

            answer = await self.effect.once(caller, _with_file(request.once, stored.sha256), queue)
        except BaseException:
            await self._forget(new.id)
            raise
        if answer.import_id != new.id:  # a twin under the same key was first
            await self._forget(new.id)
        self.queued()
        return await self._found(caller, answer)

    async def _again(self, caller: Caller, once: Once, arriving: "_Arriving") -> Import:
        """Reads a file that may be here already, and stores nothing. IdempotencyKeyReused when it is another one."""
        async for _ in arriving.chunks():
            pass
        answer = await self.effect.earlier(caller, _with_file(once, arriving.stored("").sha256))
        if answer is None:  # the key's time was over meanwhile: the next try is the first one again
            raise Unavailable
        return await self._found(caller, answer)

    async def _found(self, caller: Caller, answer: Answer) -> Import:
        async with self.read() as data:
            found = await data.imports.get(answer.import_id) if answer.import_id else None
        # Asked again: whoever repeats an upload may see less by now.
        if found is None or not found.is_visible_to(caller):
            raise ImportNotFound
        return found

    async def _forget(self, import_id: UUID) -> None:
        """What can't be forgotten now is the sweeper's; the caller is told what went wrong first."""
        with suppress(Unavailable):
            await forget_upload(self.begin, self.store, import_id)

    async def _defaults(self, options: UploadOptions) -> Defaults:
        name = options.default_assignee
        found = await self.user_directory.ids_by_username({name}) if name else {}
        if name not in found and name:
            raise UnknownAssignee(field="default_assignee")
        return Defaults(options.default_status, found.get(name), options.default_labels)


def _with_file(once: Once | None, sha256: bytes) -> Once | None:
    return once and Once(once.key, hashlib.sha256(once.digest + sha256).digest())


async def forget_upload(begin: Callable[[], UnitOfWork], store: ObjectStore, import_id: UUID) -> bool:
    """Removes what is stored of an upload, and its row. False when it has become an import, whose file must stay.

    The row is locked first: a commit whose answer was lost may have queued it. And it goes last: as long as it stands,
    the sweeper still finds what was stored. Where the sweeper has taken the row, the last bytes came behind it.
    """
    async with begin() as work:
        if not await work.uploads.lock(import_id):
            return False
        await store.delete(object_key(import_id))
        await work.uploads.remove(import_id)
        await work.commit()
    return True


@dataclass(slots=True)
class _Arriving:
    """A file on its way in: counted, hashed, its header line looked at as soon as it is there."""

    parts: AsyncIterator[bytes | Finish]
    most_bytes: int
    most_kept: int
    _scan: HeaderScan
    kept: int = 0
    """Bytes of the owner's files that are stored already."""
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _size: int = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes. Raises what is wrong with them as soon as it is known, so that nothing is stored."""
        finish: Finish | None = None
        async for part in self.parts:
            if isinstance(part, Finish):
                finish = part
                break
            self._size += len(part)
            if self._size > self.most_bytes:
                raise FileTooLarge(limit=self.most_bytes)
            if self.kept + self._size > self.most_kept:
                raise StorageQuotaExceeded(limit=self.most_kept)
            self._scan.feed(part)
            self._hash.update(part)
            yield part
        # A client that died or was cut off looks just like one that has sent everything.
        if finish is None:
            raise UploadIncomplete
        if finish.size != self._size:
            raise SizeMismatch(announced=finish.size, received=self._size)
        if not self._size:
            raise EmptyFile
        self._scan.end()

    def header(self) -> Header:
        return self._scan.end()

    def stored(self, etag: str) -> StoredUpload:
        return StoredUpload(self._size, self._hash.digest(), etag)


@dataclass(frozen=True, slots=True)
class SweepUploads:
    """Removes what began to upload and never finished, because the process that took it died."""

    begin: Callable[[], UnitOfWork]
    read: Callable[[], Reading]
    store: ObjectStore
    now: Clock
    older_than: timedelta

    async def __call__(self) -> int:
        async with self.read() as data:
            abandoned = await data.uploads.abandoned(self.now() - self.older_than)
        return sum([await forget_upload(self.begin, self.store, import_id) for import_id in abandoned])


@dataclass(frozen=True, slots=True)
class ExpireUploads:
    """Removes the files of imports that ended a while ago. The imports and their wrong rows stay."""

    begin: Callable[[], UnitOfWork]
    read: Callable[[], Reading]
    store: ObjectStore
    now: Clock
    keep: timedelta

    async def __call__(self) -> int:
        async with self.read() as data:
            expired = await data.uploads.expired(self.now() - self.keep)
        for import_id in expired:
            await self.store.delete(object_key(import_id))
            async with self.begin() as work:
                await work.uploads.forget_file(import_id)
                await work.commit()
        return len(expired)
