"""Creation of a backup."""

from datetime import UTC, datetime
from pathlib import Path

from chassis.version import VERSION
from deploy.backup import objects, postgres
from deploy.backup.errors import BackupError, BackupInterrupted
from deploy.backup.manifest import Manifest
from deploy.backup.settings import BackupSettings


def create_backup(settings: BackupSettings, folder: Path) -> Manifest:
    """Back up the system while it runs, and return the manifest.

    The database comes first. A file that is uploaded later belongs to an import that the dump does not have, and a file
    of the dump is deleted later only if its import had ended. In the other order, an import of the dump could lack its
    file.

    Raises:
        BackupError: the backup was not made. The folder then has no manifest.
        BackupInterrupted: Ctrl-C ended it. The folder then has no manifest either.

    """
    settings.ensure_one_database()
    _create_folder(folder)
    try:
        return _fill_folder(settings, folder)
    except KeyboardInterrupt:
        message = f"{folder} is incomplete: delete it."
        raise BackupInterrupted(message) from None


def _fill_folder(settings: BackupSettings, folder: Path) -> Manifest:
    store = objects.open_store(settings.tasks_store_url)
    with postgres.open_snapshot(settings.administrator_url, settings.schemas) as snapshot:
        postgres.dump(settings.administrator_url, folder, snapshot=snapshot, binaries=settings.backup_postgres_bin)
        stored = snapshot.stored_imports()
        manifest = Manifest(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            release=VERSION,
            key_fingerprint=settings.key_fingerprint,
            schemas=settings.schemas._asdict(),
            revisions=snapshot.revisions(),
            rows=snapshot.row_counts(),
            audit_head=snapshot.audit_head(),
            dump_sha256=objects.sha256_of(folder / postgres.DUMP_FILE_NAME),
            files={},
        )
    manifest.files.update(objects.copy_to_backup(store, stored, folder))
    manifest.write(folder)
    return manifest


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        message = f"{folder} exists. Name a new folder."
        raise BackupError(message) from None
    except OSError as error:
        message = f"{folder} can't be created: {error.strerror}."
        raise BackupError(message) from None
