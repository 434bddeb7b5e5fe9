"""Uploads in an object store: a folder, S3, GCS or Azure, by URL. Credentials come from the environment."""

import asyncio
import errno
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

from chassis.kernel.errors import Unavailable
from task_service.imports.domain.errors import OffsetBehindEnd, StorageFull, StoredFileChanged
from task_service.imports.usecases.ports import StoredUpload

# Said outright: by itself obstore would hold twelve parts of a stream in memory.
PART_BYTES = 5 * 1024 * 1024
PARTS_AT_ONCE = 2

# A file is read in requests of so many bytes, which go on in pieces: one request for all of it would stay open for as
# long as the import takes, and each of these says anew which object is meant.
REQUEST_BYTES = 4 * 1024 * 1024
PIECE_BYTES = 256 * 1024

# By itself obstore tries for three minutes, while a caller waits.
TRIED_FOR = timedelta(seconds=10)
TRIES = 4

UNDO_SECONDS = 15.0
"""How long an upload that was called off may take to undo what it has stored."""

# A store that is away, or that lets nobody in: its operator's to mend, and nothing that a caller or a file has done.
_OUTAGE = (GenericError, PermissionDeniedError, UnauthenticatedError, OSError)

# EFBIG is what a limit on the process says in place of a full disk.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

log = structlog.get_logger("object_store")


class ObstoreUploads:
    """An object store behind obstore."""

    def __init__(self, url: str) -> None:
        self._folder = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None
        self._store = _open(url)

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> str:
        with _in_our_words():
            await self._put(key, chunks)
            if self._folder:
                # obstore leaves this to whoever needs it: an upload that was answered for survives a power cut.
                await asyncio.to_thread(_sync, self._folder / key)
            # Asked for and not taken from the put's answer: that one's is another in a folder.
            return (await obstore.head_async(self._store, key))["e_tag"] or ""

    async def _put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        called_off = asyncio.Event()
        putting = asyncio.ensure_future(
            obstore.put_async(
                self._store,
                key,
                _until(called_off, chunks),
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
                use_multipart=True,
            )
        )
        # Who is cancelled does not wait to hear how it ended, and the shield forgets it then.
        putting.add_done_callback(_hear)
        try:
            await asyncio.shield(putting)
        except asyncio.CancelledError:
            # Cancelled, obstore would leave the parts that are stored already; it removes them when the stream raises.
            called_off.set()
            await asyncio.wait({putting}, timeout=UNDO_SECONDS)
            raise

    async def read(self, key: str, offset: int, upload: StoredUpload) -> AsyncIterator[bytes]:
        with _in_our_words():
            found = await self._found(key, upload)
        if offset > upload.size:
            raise OffsetBehindEnd
        while offset < upload.size:
            with _in_our_words():
                data = await self._read(key, offset, min(offset + REQUEST_BYTES, upload.size), found)
            for begin in range(0, len(data), PIECE_BYTES):
                yield data[begin : begin + PIECE_BYTES]
            offset += len(data)

    async def _found(self, key: str, upload: StoredUpload) -> str | None:
        """The object's etag, if it is the one that was uploaded."""
        try:
            found = await obstore.head_async(self._store, key)
        except FileNotFoundError as error:
            raise StoredFileChanged from error
        if found["size"] != upload.size or (upload.etag and found["e_tag"] != upload.etag):
            raise StoredFileChanged
        return found["e_tag"]

    async def _read(self, key: str, begin: int, end: int, etag: str | None) -> bytes:
        try:
            answer = await obstore.get_async(self._store, key, options={"range": (begin, end), "if_match": etag})
            data = bytes(await answer.bytes_async())
        except (FileNotFoundError, PreconditionError) as error:
            raise StoredFileChanged from error
        if len(data) != end - begin:
            raise StoredFileChanged
        return data

    async def delete(self, key: str) -> None:
        with _in_our_words(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)
        if self._folder:
            # Where a process died in the middle of a put, obstore's staging file lies beside the key.
            path = self._folder / key
            for staged in path.parent.glob(f"{path.name}#*"):
                staged.unlink(missing_ok=True)


class _CalledOff(Exception):
    """The stream that is being stored is not wanted any more."""


def _open(url: str) -> ObjectStore:
    if url.startswith("file:"):
        return from_url(url, mkdir=True)
    if url.startswith("memory:"):
        return from_url(url)
    return from_url(url, retry_config={"max_retries": TRIES, "retry_timeout": TRIED_FOR})


def _hear(ended: asyncio.Future[Any]) -> None:
    if not ended.cancelled():
        ended.exception()


async def _until(called_off: asyncio.Event, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The chunks; _CalledOff as soon as they are called off, though the next one may never come."""
    ending = asyncio.ensure_future(called_off.wait())
    try:
        while True:
            following = asyncio.ensure_future(_next(chunks))
            await asyncio.wait({following, ending}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
                raise _CalledOff
            chunk = following.result()
            if chunk is None:
                return
            yield chunk
    finally:
        ending.cancel()


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


@contextmanager
def _in_our_words() -> Iterator[None]:
    """StorageFull for a full disk, Unavailable for a store that can't be used; what is no outage passes."""
    try:
        yield
    except (BaseError, OSError) as error:
        if _is_full(error):
            raise StorageFull from error
        if isinstance(error, _OUTAGE) and not isinstance(error, FileNotFoundError):
            log.warning("the object store can't be used", error=str(error).partition("\n")[0])
            raise Unavailable from error
        raise


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
