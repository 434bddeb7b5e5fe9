"""Uploads in an object store: a folder, S3, GCS or Azure, by URL."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, GenericError
from obstore.store import from_url

from task_service.domain.import_errors import OffsetBehindEnd, StorageFull, StoredFileChanged
from task_service.usecases.import_ports import StoredUpload

# Said outright: by itself obstore would hold twelve parts of a stream in memory.
PART_BYTES = 5 * 1024 * 1024
PARTS_AT_ONCE = 2
READ_BYTES = 256 * 1024

# EFBIG is what a limit on the process says in place of a full disk.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ObstoreUploads:
    """An object store behind obstore."""

    def __init__(self, url: str) -> None:
        self._folder = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None
        self._store = from_url(url, mkdir=True) if self._folder else from_url(url)

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> str:
        try:
            await obstore.put_async(
                self._store, key, chunks, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE, use_multipart=True
            )
            if self._folder:
                # obstore leaves this to whoever needs it: an upload that was answered for survives a power cut.
                await asyncio.to_thread(_sync, self._folder / key)
            # Asked for and not taken from the put's answer: that one's is another in a folder.
            return (await obstore.head_async(self._store, key))["e_tag"] or ""
        except (BaseError, OSError) as error:
            if _is_full(error):
                raise StorageFull from error
            raise

    async def read(self, key: str, offset: int, upload: StoredUpload) -> AsyncIterator[bytes]:
        try:
            found = await obstore.head_async(self._store, key)
            size = found["size"]
            if size != upload.size or (upload.etag and found["e_tag"] != upload.etag):
                raise StoredFileChanged
            if offset > size:
                raise OffsetBehindEnd
            if offset == size:  # a range of nothing is an error to most stores
                return
            opened = await obstore.get_async(self._store, key, options={"range": {"offset": offset}})
        except FileNotFoundError as error:
            raise StoredFileChanged from error
        async for chunk in opened.stream(min_chunk_size=READ_BYTES):
            yield bytes(chunk)

    async def delete(self, key: str) -> None:
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)
        if self._folder:
            # Where a process died in the middle of a put, obstore's staging file lies beside the key.
            path = self._folder / key
            for staged in path.parent.glob(f"{path.name}#*"):
                staged.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    for place in (path, path.parent):
        handle = os.open(place, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    # obstore wraps the system's error in text only.
    return isinstance(error, GenericError) and any(f"os error {number})" in str(error) for number in _FULL)
