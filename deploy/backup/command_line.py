"""Command line of backups: `python -m deploy.backup create FOLDER` and `restore FOLDER`."""

import argparse
import sys
from pathlib import Path

from chassis.settings import load_settings
from deploy.backup.create import create_backup
from deploy.backup.errors import BackupError, BackupInterrupted
from deploy.backup.manifest import Manifest, Schemas
from deploy.backup.restore import restore_backup
from deploy.backup.settings import BackupSettings
from deploy.interrupts import INTERRUPTED, raise_at_interrupt


def run_command_line() -> None:
    """Run the command that the arguments name. Exit with status 1 and one line if it fails, with 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, summary in (
        ("create", "back up both schemas and the import files into a new folder, while the services run"),
        ("restore", "restore a backup into an empty database, before the services start"),
    ):
        commands.add_parser(name, help=summary).add_argument("folder", type=Path)
    arguments = parser.parse_args()
    settings = load_settings(BackupSettings)
    run = create_backup if arguments.command == "create" else restore_backup
    try:
        raise_at_interrupt()
        manifest = run(settings, arguments.folder)
    except BackupError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # such as a full disk
        sys.exit(f"error: {error.filename or arguments.folder}: {error.strerror or error}.")
    except BackupInterrupted as interruption:
        sys.stderr.write(f"Interrupted. {interruption}\n")
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. Nothing was done.\n")
        sys.exit(INTERRUPTED)
    sys.stdout.write("\n".join(_summary(arguments.command, arguments.folder, manifest)) + "\n")


def _summary(command: str, folder: Path, manifest: Manifest) -> list[str]:
    schemas = Schemas(**manifest.schemas)
    users, tasks, events = (
        manifest.rows[f"{schema}.{table}"]
        for schema, table in ((schemas.auth, "users"), (schemas.tasks, "tasks"), (schemas.tasks, "task_events"))
    )
    counts = f"{users:,} users, {tasks:,} tasks, {events:,} events, {len(manifest.files):,} import files"
    if command == "create":
        return [
            f"Backed up to {folder}: {counts}.",
            f"Audit head: {manifest.audit_head}",
            "The backup has no AUTH_KEY_ENCRYPTION_KEY. Keep that key apart: a restore needs it.",
        ]
    return [
        f"Restored from {folder}: {counts}.",
        "Row counts and the hash chain are those of the backup. All cursors of the event log have expired.",
        "Run both `migrate` commands if this release is newer than the backup, then start the services.",
    ]
