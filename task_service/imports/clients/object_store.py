"""Object store for uploads: a folder, S3, GCS or Azure, chosen by URL. Credentials come from the environment."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
import structlog
from obstore.exceptions import (
    BaseError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore, from_url

from chassis.kernel.errors import StartError, Unavailable
from task_service.imports.domain.errors import OffsetBehindEnd, StorageFull, StoredFileChanged
from task_service.imports.usecases.ports import StoredUpload

# Limits memory use: by default obstore keeps twelve parts of a stream in memory.
PART_BYTES = 5 * 1024 * 1024
MAX_CONCURRENT_PARTS = 2

# A file is read in several requests, because one request would stay open for the whole import. Each request also checks
# the object's etag. Its data are passed on in chunks.
REQUEST_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 256 * 1024

# By default obstore retries for three minutes, while a client waits.
RETRY_TIMEOUT = timedelta(seconds=10)
MAX_RETRIES = 3
# Short pauses: a store that refuses connections fails an upload within about a second.
INITIAL_BACKOFF = timedelta(milliseconds=100)
MAX_BACKOFF = timedelta(milliseconds=300)

_NO_OBJECT = "no-upload-has-this-name"

ABORT_TIMEOUT_SECONDS = 15.0
"""Time limit for the removal of a cancelled upload's parts."""

# Errors of an unreachable store or of rejected credentials. Only the operator can fix them, so no import may fail.
_OUTAGES = (GenericError, PermissionDeniedError, UnauthenticatedError, OSError)

# EFBIG: the file has reached the size limit of the process.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

log = structlog.get_logger("object_store")


class ObstoreObjectStore:
    """Object store, accessed with obstore."""

    def __init__(self, url: str) -> None:
        """Open the store. Raises StartError if it can't be used."""
        self._folder = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None
        self._store = _open(url)
        self._etags_of_copies: dict[str, str | None] = {}

    async def check(self) -> None:
        """List objects of a name that none has. Raises the errors of obstore.

        A list shows a missing bucket, which a request for one object does not. It needs the permission to list, which
        also lets S3 tell a missing object from a forbidden one.
        """
        if self._folder and not os.access(self._folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "the folder is not writable", str(self._folder))
        await obstore.list(self._store, prefix=_NO_OBJECT).collect_async()

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> str:
        with _translate_errors():
            await self._put(key, chunks)
            if self._folder:
                # obstore does not call fsync, but a confirmed upload must survive a power failure.
                await asyncio.to_thread(_fsync, self._folder / key)
            # The etag of `put` can't be used: in a folder it differs from the etag of a later `head`.
            return (await obstore.head_async(self._store, key))["e_tag"] or ""

    async def _put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        cancelled = asyncio.Event()
        put_task = asyncio.ensure_future(
            obstore.put_async(
                self._store,
                key,
                _chunks_until(cancelled, chunks),
                chunk_size=PART_BYTES,
                max_concurrency=MAX_CONCURRENT_PARTS,
                use_multipart=True,
            )
        )
        # After cancellation nobody awaits `put_task`. Read its exception, or asyncio logs "never retrieved".
        put_task.add_done_callback(_retrieve_exception)
        try:
            await asyncio.shield(put_task)
        except asyncio.CancelledError:
            # A cancelled `put_async` leaves its parts in the store. obstore removes them only if the stream raises.
            cancelled.set()
            await asyncio.wait({put_task}, timeout=ABORT_TIMEOUT_SECONDS)
            raise

    async def read(self, key: str, offset: int, upload: StoredUpload) -> AsyncIterator[bytes]:
        with _translate_errors():
            etag = await self._check_unchanged(key, upload)
        if offset > upload.size:
            raise OffsetBehindEnd
        while offset < upload.size:
            with _translate_errors():
                data = await self._read(key, offset, min(offset + REQUEST_BYTES, upload.size), etag)
            for begin in range(0, len(data), CHUNK_BYTES):
                yield data[begin : begin + CHUNK_BYTES]
            offset += len(data)

    async def _check_unchanged(self, key: str, upload: StoredUpload) -> str | None:
        """Return the object's etag. Raises StoredFileChanged when it is gone or not the object that was uploaded."""
        try:
            metadata = await obstore.head_async(self._store, key)
        except FileNotFoundError as error:
            raise StoredFileChanged from error
        etag = metadata["e_tag"]
        if metadata["size"] != upload.size:
            raise StoredFileChanged
        if upload.etag and etag not in {upload.etag, self._etags_of_copies.get(key)}:
            # A copy of the store has other etags: in a folder they contain the inode. Then the bytes count, once.
            if await self._sha256(key, upload.size, etag) != upload.sha256:
                raise StoredFileChanged
            self._etags_of_copies[key] = etag
        return etag

    async def _sha256(self, key: str, size: int, etag: str | None) -> bytes:
        digest = hashlib.sha256()
        for begin in range(0, size, REQUEST_BYTES):
            data = await self._read(key, begin, min(begin + REQUEST_BYTES, size), etag)
            await asyncio.to_thread(digest.update, data)
        return digest.digest()

    async def _read(self, key: str, begin: int, end: int, etag: str | None) -> bytes:
        try:
            response = await obstore.get_async(self._store, key, options={"range": (begin, end), "if_match": etag})
            data = bytes(await response.bytes_async())
        except (FileNotFoundError, PreconditionError) as error:
            raise StoredFileChanged from error
        if len(data) != end - begin:
            raise StoredFileChanged
        return data

    async def delete(self, key: str) -> None:
        with _translate_errors(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)
        self._etags_of_copies.pop(key, None)
        if self._folder:
            # A process that died during a put leaves obstore's staging file next to the key.
            path = self._folder / key
            for staging_file in path.parent.glob(f"{path.name}#*"):
                staging_file.unlink(missing_ok=True)


class _UploadCancelled(Exception):
    """Cancellation of the upload. The stream raises it to make obstore abort."""


def _open(url: str) -> ObjectStore:
    try:
        if url.startswith("file:"):
            return from_url(url, mkdir=True)
        if url.startswith("memory:"):
            return from_url(url)
        return from_url(
            url,
            retry_config={
                "max_retries": MAX_RETRIES,
                "retry_timeout": RETRY_TIMEOUT,
                "backoff": {"init_backoff": INITIAL_BACKOFF, "max_backoff": MAX_BACKOFF, "base": 2},
            },
        )
    except (BaseError, OSError) as error:
        raise StartError(f"TASKS_STORE_URL: {str(error).partition(chr(10))[0]}") from error


def _retrieve_exception(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


async def _chunks_until(cancelled: asyncio.Event, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the chunks. Raises _UploadCancelled at once on cancellation, even while the next chunk is awaited."""
    cancellation = asyncio.ensure_future(cancelled.wait())
    try:
        while True:
            next_chunk = asyncio.ensure_future(_next(chunks))
            await asyncio.wait({next_chunk, cancellation}, return_when=asyncio.FIRST_COMPLETED)
            if cancellation.done():
                next_chunk.cancel()
                await asyncio.gather(next_chunk, return_exceptions=True)
                raise _UploadCancelled
            chunk = next_chunk.result()
            if chunk is None:
                return
            yield chunk
    finally:
        cancellation.cancel()


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise StorageFull for a full disk and Unavailable for an outage. Other errors pass unchanged."""
    try:
        yield
    except (BaseError, OSError) as error:
        if _is_full(error):
            raise StorageFull from error
        if isinstance(error, _OUTAGES) and not isinstance(error, FileNotFoundError):
            log.warning("the object store is unavailable", error=str(error).partition("\n")[0])
            raise Unavailable from error
        raise


def _fsync(path: Path) -> None:
    """Flush a file and its directory entry to disk."""
    for target in (path, path.parent):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return True
    # obstore reports an error of the operating system only as text.
    return isinstance(error, GenericError) and any(f"os error {number})" in str(error) for number in _DISK_FULL)
