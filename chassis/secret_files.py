"""Where secrets lie in files named like their variables, as orchestrators mount them.

Apart from chassis.settings, whose import takes a third of a second: a health check every few seconds asks here too.
"""

import os
from pathlib import Path


def secrets_dir() -> Path | None:
    """The folder that SECRETS_DIR names, or /run/secrets where it is not set; None where there is no such folder."""
    folder = Path(os.environ.get("SECRETS_DIR", "/run/secrets"))
    return folder if folder.is_dir() else None
