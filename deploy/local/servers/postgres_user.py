"""Operating-system user of Postgres, which refuses to run as root."""

import os
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.host.os_user import OsUser

# The Postgres manual advises against sharing `nobody`, but no other unprivileged user exists on every machine.
_UNPRIVILEGED_NAMES = ("postgres", "nobody")


def postgres_user(cluster: Path) -> OsUser | None:
    """Return the user that must run a database cluster. None means the current user.

    An existing cluster always runs as its owner, even if a preferred user was added to or removed from the machine
    since. Raise LocalStackError if the cluster belongs to another user and the current user is not root.
    """
    owner = cluster.stat().st_uid if cluster.exists() else None
    if os.geteuid() == 0:
        return OsUser.by_uid(owner) if owner else unprivileged_user()
    if owner not in (None, os.geteuid()):
        message = f"{cluster} belongs to another user (id {owner}). Use another --data-dir, or run as that user."
        raise LocalStackError(message)
    return None


def unprivileged_user() -> OsUser:
    """Return the user `postgres` or `nobody`. Raise LocalStackError if this machine has neither."""
    for name in _UNPRIVILEGED_NAMES:
        try:
            return OsUser.by_name(name)
        except KeyError:
            continue
    message = (
        "Postgres refuses to run as root, and this machine has no user `postgres` or `nobody`. Create one of them, or"
        " run as an ordinary user."
    )
    raise LocalStackError(message)
