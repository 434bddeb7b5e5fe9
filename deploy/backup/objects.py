"""Copies of the import files between the object store and the backup."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from deploy.backup.errors import BackupError
from deploy.backup.manifest import Manifest
from deploy.backup.postgres import DUMP_FILE_NAME
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


def copy_to_backup(store: ObjectStore, digests: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Copy the files of imports, and return the digests of those that were there, by the id of the import.

    A file that is gone belonged to an ended import, whose retention ended after the snapshot.
    """
    copied = {}
    for import_id, digest in digests.items():
        key = object_key(UUID(import_id))
        path = folder / FOLDER_NAME / key
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            chunks = obstore.get(store, key).stream(min_chunk_size=CHUNK_BYTES)
            copied_digest = _write(path, chunks)
        except FileNotFoundError:
            continue
        except (BaseError, OSError) as error:
            message = f"The file {key} can't be copied: {str(error).splitlines()[0]}"
            raise BackupError(message) from None
        if copied_digest != digest:
            message = (
                f"The file {key} of the object store is not the one that was uploaded. Delete it to go without it."
            )
            raise BackupError(message)
        copied[import_id] = digest
    return copied


def check_backup(manifest: Manifest, folder: Path) -> None:
    """Raise BackupError unless the dump and every file of the manifest are in the backup with their digests."""
    digests = {folder / FOLDER_NAME / object_key(UUID(import_id)): value for import_id, value in manifest.files.items()}
    digests[folder / DUMP_FILE_NAME] = manifest.dump_sha256
    for path, expected in digests.items():
        try:
            is_intact = sha256_of(path) == expected
        except OSError as error:
            message = f"The backup is damaged: {path} can't be read: {error.strerror}."
            raise BackupError(message) from None
        if not is_intact:
            message = f"The backup is damaged: {path} has other bytes than when the backup was made."
            raise BackupError(message)


def copy_to_store(folder: Path, import_ids: Iterable[str], store: ObjectStore) -> None:
    """Copy the files of the backup into the store. An object of the same name is replaced."""
    for import_id in import_ids:
        key = object_key(UUID(import_id))
        try:
            obstore.put(store, key, folder / FOLDER_NAME / key)
        except (BaseError, OSError) as error:
            message = f"The file {key} can't be stored: {str(error).splitlines()[0]}"
            raise BackupError(message) from None


def _write(path: Path, chunks: Iterable[bytes]) -> str:
    """Write a file; return its digest."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
