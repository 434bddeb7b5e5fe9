"""Errors of a backup or a restore. The text tells the operator what to do."""


class BackupError(Exception):
    """The backup or the restore can't be made."""


class BackupInterrupted(Exception):
    """Ctrl-C ended the backup or the restore. The text says what it left."""
