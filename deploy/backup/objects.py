"""Copies of the import files between the object store and the backup."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from deploy.backup.errors import BackupError

FOLDER_NAME = "files"
CHUNK_BYTES = 4 * 1024 * 1024


def open_store(url: str) -> ObjectStore:
    """Open the store, as task_service does. Raises BackupError."""
    try:
        return from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)
    except (BaseError, OSError) as error:
        message = f"TASKS_STORE_URL: {str(error).splitlines()[0]}"
        raise BackupError(message) from None


def copy_to_backup(store: ObjectStore, keys: Mapping[str, int], folder: Path) -> dict[str, int]:
    """Copy the objects and return the sizes of those that were there.

    An object that is gone belonged to an ended import, whose retention ended after the snapshot.
    """
    copied = {}
    for key, size in keys.items():
        path = folder / FOLDER_NAME / key
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            chunks = obstore.get(store, key).stream(min_chunk_size=CHUNK_BYTES)
            written = _write(path, chunks)
        except FileNotFoundError:
            continue
        except (BaseError, OSError) as error:
            message = f"The file {key} can't be copied: {str(error).splitlines()[0]}"
            raise BackupError(message) from None
        if written != size:
            message = f"The file {key} has {written} bytes in the object store and {size} in the database."
            raise BackupError(message)
        copied[key] = size
    return copied


def check_backup(files: Mapping[str, int], folder: Path) -> None:
    """Raise BackupError unless every file of the manifest is in the backup with its size."""
    for key, size in files.items():
        path = folder / FOLDER_NAME / key
        if not path.is_file() or path.stat().st_size != size:
            message = f"The backup is damaged: {path} is missing or does not have {size} bytes."
            raise BackupError(message)


def copy_to_store(folder: Path, keys: Iterable[str], store: ObjectStore) -> None:
    """Copy the files of the backup into the store. An object of the same name is replaced."""
    for key in keys:
        try:
            obstore.put(store, key, folder / FOLDER_NAME / key)
        except (BaseError, OSError) as error:
            message = f"The file {key} can't be stored: {str(error).splitlines()[0]}"
            raise BackupError(message) from None


def _write(path: Path, chunks: Iterable[bytes]) -> int:
    written = 0
    with path.open("wb") as file:
        for chunk in chunks:
            written += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return written
