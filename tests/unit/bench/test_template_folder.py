"""Folder of the FastAPI template, which the caller of the bench names."""

import pytest

from tests.bench.peers.application import PeerUnavailable
from tests.bench.peers.template_peer import find_backend

FILES = ("pyproject.toml", "alembic.ini", "app/main.py", "app/initial_data.py")


@pytest.fixture
def backend(tmp_path):
    """Backend of a template in a folder of its name."""
    (tmp_path / "backend" / "app").mkdir(parents=True)
    for file in FILES:
        (tmp_path / "backend" / file).touch()
    return tmp_path / "backend"


def test_backend_in_the_folder_or_the_folder_itself(backend):
    assert find_backend(str(backend.parent)) == find_backend(str(backend)) == backend


def test_no_folder_is_skipped_with_the_setting_to_give():
    with pytest.raises(PeerUnavailable, match="PEERS=folder is not given"):
        find_backend("")


@pytest.mark.parametrize("file", FILES)
def test_another_layout_is_skipped_with_the_missing_files(backend, file):
    (backend / file).unlink()
    with pytest.raises(PeerUnavailable, match=f"has .*{file}"):
        find_backend(str(backend.parent))
