"""Whom Postgres runs as: it refuses to run as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict

from deploy.local.errors import LocalStackError

# Postgres's manual advises against sharing `nobody`, but only that one exists everywhere.
_PREFERRED = ("postgres", "nobody")


class Switch(TypedDict, total=False):
    """The arguments of subprocess.Popen that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user of this machine."""

    uid: int
    gid: int

    @classmethod
    def for_cluster(cls, cluster: Path) -> Self | None:
        """Returns the account that a database cluster has to be run as, None when that is the current user.

        An existing cluster stays its owner's, whichever accounts this machine has won or lost since.
        """
        owner = cluster.stat().st_uid if cluster.exists() else None
        if os.geteuid() == 0:
            return cls.owning(owner) if owner else cls.unprivileged()
        if owner not in (None, os.geteuid()):
            message = f"{cluster} belongs to another user (id {owner}): name another --data-dir, or run as that user"
            raise LocalStackError(message)
        return None

    @classmethod
    def owning(cls, uid: int) -> Self:
        """Returns the account with a user id."""
        entry = pwd.getpwuid(uid)
        return cls(uid=entry.pw_uid, gid=entry.pw_gid)

    @classmethod
    def unprivileged(cls) -> Self:
        """Returns an account that exists on this machine and may do little."""
        for name in _PREFERRED:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(uid=entry.pw_uid, gid=entry.pw_gid)
        message = "Postgres refuses to run as root, and this machine has neither a user `postgres` nor `nobody`"
        raise LocalStackError(message)


def run_as(account: Account | None) -> Switch:
    """Returns the arguments of subprocess.Popen with which a child runs as an account; as the current user for None."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}
