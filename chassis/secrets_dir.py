"""Directory of secret files, as orchestrators mount them. Each file is named like its variable.

This is a module of its own because importing chassis.settings takes a third of a second. A health check runs every few
seconds and needs only this.
"""

import os
from pathlib import Path


def secrets_dir() -> Path | None:
    """Return the directory in SECRETS_DIR, by default /run/secrets; None if it does not exist."""
    folder = Path(os.environ.get("SECRETS_DIR", "/run/secrets"))
    return folder if folder.is_dir() else None
