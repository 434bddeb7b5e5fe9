"""The manifest of a backup: the file that says what the backup holds, and that it is complete."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Self

from deploy.backup.errors import BackupError

FILE_NAME = "manifest.json"
FORMAT_VERSION = 1


class Schemas(NamedTuple):
    """Names of the schemas of the services."""

    auth: str
    tasks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Content of a backup. Everything in it is of one moment, that of the database's snapshot."""

    created_at: str
    release: str
    key_fingerprint: str
    """Fingerprint of AUTH_KEY_ENCRYPTION_KEY. The key itself is not in the backup."""
    schemas: dict[str, str]
    """Names of the schemas, by service."""
    revisions: dict[str, list[str]]
    """Alembic revisions, by schema."""
    rows: dict[str, int]
    """Number of rows, by table."""
    audit_head: str
    """Newest block of the hash chain, as NUMBER:HASH."""
    dump_sha256: str
    """SHA-256 of the dump of the database."""
    files: dict[str, str]
    """SHA-256 of the stored files, by the id of the import."""
    format_version: int = FORMAT_VERSION

    def write(self, folder: Path) -> None:
        """Write the manifest, last of all files: a folder without one is no backup."""
        partial = folder / f"{FILE_NAME}.partial"
        with partial.open("w", encoding="utf-8") as file:
            file.write(json.dumps(asdict(self), indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.rename(folder / FILE_NAME)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a backup. Raises BackupError."""
        path = folder / FILE_NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            manifest = cls(**content)
        except (FileNotFoundError, NotADirectoryError):
            message = (
                f"{folder} holds no complete backup: {FILE_NAME} is missing."
                if folder.is_dir()
                else f"There is no folder {folder}."
            )
            raise BackupError(message) from None
        except (ValueError, TypeError) as error:
            message = f"{path} is damaged: {error}."
            raise BackupError(message) from None
        if manifest.format_version != FORMAT_VERSION:
            message = f"{path} has the format {manifest.format_version}. This release reads format {FORMAT_VERSION}."
            raise BackupError(message)
        return manifest
