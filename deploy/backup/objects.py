"""Copies of the import files between the object store and the backup."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from deploy.backup.errors import BackupError
from task_service.imports.usecases.upload_cleanup import object_key

FOLDER_NAME = "files"
CHUNK_BYTES = 4 * 1024 * 1024


def open_store(url: str) -> ObjectStore:
    """Open the store, as task_service does. Raises BackupError."""
    try:
        return from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)
    except (BaseError, OSError) as error:
        message = f"TASKS_STORE_URL: {str(error).splitlines()[0]}"
        raise BackupError(message) from None


def copy_to_backup(store: ObjectStore, sizes: Mapping[str, int], folder: Path) -> dict[str, int]:
    """Copy the files of imports, and return the sizes of those that were there, by the id of the import.

    A file that is gone belonged to an ended import, whose retention ended after the snapshot.
    """
    copied = {}
    for import_id, size in sizes.items():
        key = object_key(UUID(import_id))
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
        copied[import_id] = size
    return copied


def check_backup(files: Mapping[str, int], folder: Path) -> None:
    """Raise BackupError unless every file of the manifest is in the backup with its size."""
    for import_id, size in files.items():
        path = folder / FOLDER_NAME / object_key(UUID(import_id))
        if not path.is_file() or path.stat().st_size != size:
            message = f"The backup is damaged: {path} is missing or does not have {size} bytes."
            raise BackupError(message)


def copy_to_store(folder: Path, import_ids: Iterable[str], store: ObjectStore) -> dict[str, str]:
    """Copy the files of the backup into the store. An object of the same name is replaced.

    Return the etags of the objects by the id of the import: they differ from those in the dump.
    """
    etags = {}
    for import_id in import_ids:
        key = object_key(UUID(import_id))
        try:
            obstore.put(store, key, folder / FOLDER_NAME / key)
            etags[import_id] = obstore.head(store, key)["e_tag"] or ""
        except (BaseError, OSError) as error:
            message = f"The file {key} can't be stored: {str(error).splitlines()[0]}"
            raise BackupError(message) from None
    return etags


def _write(path: Path, chunks: Iterable[bytes]) -> int:
    written = 0
    with path.open("wb") as file:
        for chunk in chunks:
            written += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return written
