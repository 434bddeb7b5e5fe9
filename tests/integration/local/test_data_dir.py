import json
import stat
from pathlib import Path

import pytest

from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import Endpoints, remove_endpoints, target_of
from deploy.local.errors import LocalStackError


@pytest.fixture
def endpoints() -> Endpoints:
    return Endpoints(
        gateway_url="http://127.0.0.1:1",
        auth_target="127.0.0.1:2",
        tasks_target=target_of(["127.0.0.1:3", "127.0.0.1:4"]),
        postgres_url="postgresql://postgres:secret@127.0.0.1:5/taskmanager",
        redis_url="redis://:secret@127.0.0.1:6/0",
        admin_email="admin@example.com",
        admin_password="secret",
    )


def test_secrets_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path):
    first = Credentials.of(tmp_path)
    assert Credentials.of(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert first.postgres_password not in repr(first)


def test_secrets_differ_between_data_directories(tmp_path: Path):
    assert Credentials.of(tmp_path / "one").admin_password != Credentials.of(tmp_path / "two").admin_password


def test_lost_secrets_of_data_that_are_there_are_not_replaced(tmp_path: Path):
    (tmp_path / "postgres").mkdir()
    with pytest.raises(LocalStackError, match=r"secrets\.json is gone"):
        Credentials.of(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"admin_password": "x"}'])
def test_damaged_secrets_are_told(tmp_path: Path, content: str):
    (tmp_path / "secrets.json").write_text(content)
    with pytest.raises(LocalStackError, match=r"secrets\.json is damaged"):
        Credentials.of(tmp_path)


def test_the_endpoints_file_has_the_promised_fields_and_is_its_owners_alone(tmp_path: Path, endpoints: Endpoints):
    path = endpoints.write(tmp_path, {"postgres": 1, "gateway": 2})
    assert json.loads(path.read_text()) == {
        "gateway_url": "http://127.0.0.1:1",
        "auth_target": "127.0.0.1:2",
        "tasks_target": "ipv4:127.0.0.1:3,127.0.0.1:4",
        "postgres_url": "postgresql://postgres:secret@127.0.0.1:5/taskmanager",
        "redis_url": "redis://:secret@127.0.0.1:6/0",
        "admin": {"email": "admin@example.com", "password": "secret"},
        "processes": {"postgres": 1, "gateway": 2},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_endpoints_file_is_replaced_whole(tmp_path: Path, endpoints: Endpoints):
    path = endpoints.write(tmp_path, {"gateway": 1})
    with path.open() as reading:
        endpoints.write(tmp_path, {"gateway": 2})
        assert json.load(reading)["processes"] == {"gateway": 1}
    assert json.loads(path.read_text())["processes"] == {"gateway": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_no_endpoints_file_speaks_of_a_stack_that_is_gone(tmp_path: Path, endpoints: Endpoints):
    path = endpoints.write(tmp_path, {})
    remove_endpoints(tmp_path)
    remove_endpoints(tmp_path)
    assert not path.exists()
