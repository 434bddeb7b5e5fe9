"""secrets.json and endpoints.json in the data directory."""

import json
import stat
from pathlib import Path

import pytest

from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import Endpoints, delete_endpoints_file, grpc_target
from deploy.local.errors import LocalStackError


@pytest.fixture
def endpoints() -> Endpoints:
    return Endpoints(
        gateway_url="http://127.0.0.1:1",
        auth_target="127.0.0.1:2",
        tasks_target=grpc_target(["127.0.0.1:3", "127.0.0.1:4"]),
        internal_auth_target="127.0.0.1:7",
        internal_tasks_target="127.0.0.1:8",
        ingest_target="127.0.0.1:10",
        postgres_url="postgresql://postgres:secret@127.0.0.1:5/taskmanager",
        redis_url="redis://:secret@127.0.0.1:6/0",
        probes={"gateway": "http://127.0.0.1:9"},
        admin_email="admin@example.com",
        admin_password="secret",
    )


def test_credentials_are_created_once_and_private(tmp_path: Path):
    """Only the owner can read the file, and the repr shows no password."""
    first = Credentials.load_or_create(tmp_path)
    assert Credentials.load_or_create(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert first.postgres_password not in repr(first)


def test_credentials_differ_between_data_directories(tmp_path: Path):
    one, two = (Credentials.load_or_create(tmp_path / name) for name in ("one", "two"))
    assert one.admin_password != two.admin_password


def test_missing_credentials_of_existing_data_are_an_error(tmp_path: Path):
    (tmp_path / "postgres").mkdir()
    with pytest.raises(LocalStackError, match=r"secrets\.json is missing"):
        Credentials.load_or_create(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"admin_password": "x"}'])
def test_damaged_credentials_are_an_error(tmp_path: Path, content: str):
    (tmp_path / "secrets.json").write_text(content)
    with pytest.raises(LocalStackError, match=r"secrets\.json is damaged"):
        Credentials.load_or_create(tmp_path)


def test_endpoints_file_is_complete_and_private(tmp_path: Path, endpoints: Endpoints):
    path = endpoints.write(tmp_path, {"postgres": 1, "gateway": 2})
    assert json.loads(path.read_text()) == {
        "gateway_url": "http://127.0.0.1:1",
        "auth_target": "127.0.0.1:2",
        "tasks_target": "ipv4:127.0.0.1:3,127.0.0.1:4",
        "internal_auth_target": "127.0.0.1:7",
        "internal_tasks_target": "127.0.0.1:8",
        "ingest_target": "127.0.0.1:10",
        "postgres_url": "postgresql://postgres:secret@127.0.0.1:5/taskmanager",
        "redis_url": "redis://:secret@127.0.0.1:6/0",
        "admin": {"email": "admin@example.com", "password": "secret"},
        "probes": {"gateway": "http://127.0.0.1:9"},
        "processes": {"postgres": 1, "gateway": 2},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_endpoints_file_can_be_read_back(tmp_path: Path, endpoints: Endpoints):
    endpoints.write(tmp_path, {})
    assert Endpoints.read(tmp_path) == endpoints


def test_reading_endpoints_without_a_stack_is_an_error(tmp_path: Path):
    with pytest.raises(LocalStackError, match=r"No stack runs on .*Start one with"):
        Endpoints.read(tmp_path)


def test_endpoints_file_is_replaced_atomically(tmp_path: Path, endpoints: Endpoints):
    path = endpoints.write(tmp_path, {"gateway": 1})
    with path.open() as old_file:
        endpoints.write(tmp_path, {"gateway": 2})
        assert json.load(old_file)["processes"] == {"gateway": 1}
    assert json.loads(path.read_text())["processes"] == {"gateway": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_endpoints_file_can_be_deleted_twice(tmp_path: Path, endpoints: Endpoints):
    """No endpoints file describes a stack that has stopped."""
    path = endpoints.write(tmp_path, {})
    delete_endpoints_file(tmp_path)
    delete_endpoints_file(tmp_path)
    assert not path.exists()
