"""Restore of a backup into an empty database."""

import subprocess
import sys
from pathlib import Path

import psycopg

from auth_service.persistence.schema import APP_ROLE as AUTH_APP_ROLE
from deploy.backup import objects, postgres
from deploy.backup.errors import BackupError, BackupInterrupted
from deploy.backup.manifest import Manifest
from deploy.backup.settings import BackupSettings
from task_service.persistence.schema import APP_ROLE as TASKS_APP_ROLE


def restore_backup(settings: BackupSettings, folder: Path) -> Manifest:
    """Restore the backup and return its manifest. The services must not run yet.

    Everything that can be wrong is checked before the first change. The files come before the database: if the restore
    dies between the two, it can be repeated as a whole.

    Raises:
        BackupError: the backup was not restored.
        BackupInterrupted: Ctrl-C ended the restore.

    """
    try:
        return _restore(settings, folder)
    except KeyboardInterrupt:
        message = "The restore is incomplete: repeat it before you start the services."
        raise BackupInterrupted(message) from None


def _restore(settings: BackupSettings, folder: Path) -> Manifest:
    settings.ensure_one_database()
    manifest = Manifest.read(folder)
    _check_key(settings, manifest)
    _check_schemas(settings, manifest)
    objects.check_backup(manifest, folder)
    store = objects.open_store(settings.tasks_store_url)
    with postgres.connect(settings.administrator_url) as connection:
        _check_target(connection, settings)
    for service in ("auth_service", "task_service"):
        _run_command(f"{service}.commands.provision")
    objects.copy_to_store(folder, manifest.files, store)
    postgres.load(settings.administrator_url, folder, binaries=settings.backup_postgres_bin)
    # Clients may have read events that the backup lacks.
    _run_command("task_service.commands.expire_cursors")
    _verify(settings, manifest)
    return manifest


def _check_key(settings: BackupSettings, manifest: Manifest) -> None:
    if settings.key_fingerprint != manifest.key_fingerprint:
        message = (
            "AUTH_KEY_ENCRYPTION_KEY is not the key of this backup, so its signing keys could not be decrypted. Set the"
            " key that auth_service had when the backup was made."
        )
        raise BackupError(message)


def _check_schemas(settings: BackupSettings, manifest: Manifest) -> None:
    if settings.schemas._asdict() != manifest.schemas:
        message = (
            f"AUTH_DATABASE_SCHEMA and TASKS_DATABASE_SCHEMA must name the schemas of the backup: {manifest.schemas}."
        )
        raise BackupError(message)


def _check_target(connection: psycopg.Connection, settings: BackupSettings) -> None:
    tables = connection.execute(
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname = ANY(%s) LIMIT 1",
        [list(settings.schemas)],
    ).fetchone()
    if tables:
        message = (
            f"The database already has the table {tables[0]}. Restore into an empty database. To replace the data of"
            f" this one, stop the services and run `DROP SCHEMA {', '.join(settings.schemas)} CASCADE` first."
        )
        raise BackupError(message)
    connected = connection.execute(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database() AND usename = ANY(%s)",
        [[AUTH_APP_ROLE, TASKS_APP_ROLE]],
    ).fetchone()
    if connected:
        message = f"A service is connected as {connected[0]}. Stop all services, and start them after the restore."
        raise BackupError(message)


def _run_command(module: str, *arguments: str) -> None:
    """Run a command of a service with the environment of this program."""
    completed = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, *arguments], check=False, capture_output=True, text=True
    )
    if completed.returncode:
        message = f"{module}: {(completed.stderr or completed.stdout).strip()}"
        raise BackupError(message)


def _verify(settings: BackupSettings, manifest: Manifest) -> None:
    """Compare the restored database with the manifest, and verify the hash chain."""
    with postgres.connect(settings.administrator_url) as connection:
        rows = postgres.count_rows(connection, settings.schemas)
    for table in sorted(rows.keys() | manifest.rows.keys()):
        if rows.get(table) != manifest.rows.get(table):
            message = f"{table} has {rows.get(table)} rows and had {manifest.rows.get(table)} in the backup."
            raise BackupError(message)
    arguments = [] if manifest.audit_head == postgres.GENESIS else ["--head", manifest.audit_head]
    _run_command("task_service.commands.verify", *arguments)
