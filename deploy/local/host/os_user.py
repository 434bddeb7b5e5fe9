"""Operating-system users that child processes run as."""

import pwd
from dataclasses import dataclass
from typing import Self, TypedDict


class PopenUserArguments(TypedDict, total=False):
    """The arguments of subprocess.Popen that change the user of the child process."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class OsUser:
    """User of this machine, with its primary group."""

    uid: int
    gid: int

    @classmethod
    def by_uid(cls, uid: int) -> Self:
        """Return the user with this id. Raise KeyError if there is none."""
        entry = pwd.getpwuid(uid)
        return cls(uid=entry.pw_uid, gid=entry.pw_gid)

    @classmethod
    def by_name(cls, name: str) -> Self:
        """Return the user with this name. Raise KeyError if there is none."""
        entry = pwd.getpwnam(name)
        return cls(uid=entry.pw_uid, gid=entry.pw_gid)


def popen_user_arguments(user: OsUser | None) -> PopenUserArguments:
    """Return the arguments of subprocess.Popen that run a child as this user. None means the current user."""
    if user is None:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}
