"""File of an upload while its bytes arrive."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple

from task_service.imports.domain.errors import EmptyFile, FileTooLarge, SizeMismatch, UploadIncomplete
from task_service.imports.domain.header.header import Header, HeaderScanner
from task_service.imports.domain.storage_quota import StorageQuota, StoredBytes
from task_service.imports.usecases.ports import StoredUpload


class Finish(NamedTuple):
    """Message after the last byte: the size of the file."""

    size: int


@dataclass(slots=True)
class IncomingFile:
    """File that is being received. Its bytes are counted and hashed, and its header line is checked on arrival."""

    parts: AsyncIterator[bytes | Finish]
    _scanner: HeaderScanner
    max_upload_bytes: int
    quota: StorageQuota
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _size: int = 0

    async def chunks(self, stored: StoredBytes) -> AsyncIterator[bytes]:
        """Yield the bytes. Errors are raised as early as possible, and then nothing is stored."""
        finish: Finish | None = None
        async for part in self.parts:
            if isinstance(part, Finish):
                finish = part
                break
            self._size += len(part)
            if self._size > self.max_upload_bytes:
                raise FileTooLarge(limit=self.max_upload_bytes)
            self.quota.check(stored, self._size)
            self._scanner.feed(part)
            self._hash.update(part)
            yield part
        # The stream of a crashed client can end exactly like a complete one.
        if finish is None:
            raise UploadIncomplete
        if finish.size != self._size:
            raise SizeMismatch(announced=finish.size, received=self._size)
        if not self._size:
            raise EmptyFile
        self._scanner.end()

    def header(self) -> Header:
        return self._scanner.end()

    def stored_upload(self, etag: str) -> StoredUpload:
        return StoredUpload(self._size, self._hash.digest(), etag)
