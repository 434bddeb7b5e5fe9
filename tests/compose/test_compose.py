"""docker-compose.yml, built and run in a container engine, with a project name and ports of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.host.free_ports import find_free_port
from tests.support.users import RestApi

ROOT = Path(__file__).parents[2]
PROJECT = "taskmanager-test"


def has_container_engine() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.compose,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not has_container_engine(), reason="no container engine is available"),
]


def compose(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "compose", "--project-name", PROJECT, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def gateway_port():
    ports = {name: str(find_free_port()) for name in ("GATEWAY_PORT", "AUTH_PORT", "TASKS_PORT")}
    try:
        started = compose("up", "--build", "--wait", **ports)
        assert started.returncode == 0, started.stdout + started.stderr + compose("logs", "--tail", "30").stdout
        yield ports["GATEWAY_PORT"]
    finally:
        compose("down", "--volumes")


@pytest.fixture
def person(gateway_port):
    with RestApi(f"http://127.0.0.1:{gateway_port}") as api:
        yield api.new_user()


def test_first_requests_work_with_the_images(person):
    task = person.http.post("/api/tasks", json={"title": "In a container"})
    assert task.status_code == 201
    assert person.http.get("/api/tasks").json()["tasks"] == [task.json()]


def test_file_is_imported_with_the_images(person):
    rows = "".join(f"Task {number},pending\n" for number in range(5000))
    finished = person.wait_for_import(person.upload(f"subject,status\n{rows},completed\n")["id"])
    assert (finished["state"], finished["rows_created"], finished["rows_failed"]) == ("succeeded", 5000, 1)


def test_admin_can_log_in_and_the_history_verifies(gateway_port):
    """The admin's password is in the secrets volume, and the verify command finds an unbroken hash chain."""
    password = compose(
        "run", "--rm", "migrate-auth", "cat", "/run/secrets/AUTH_BOOTSTRAP_ADMIN_PASSWORD"
    ).stdout.strip()
    with RestApi(f"http://127.0.0.1:{gateway_port}") as api:
        assert api.login("admin@example.com", password).get("/api/v1/users").status_code == 200
    verified = compose("run", "--rm", "migrate-tasks", "python", "-m", "task_service.commands.verify")
    assert (verified.returncode, verified.stdout[:17]) == (0, "History is whole:"), verified.stderr


def test_data_survive_a_restart_of_all_containers(person):
    person.http.post("/api/tasks", json={"title": "Still here"})
    assert compose("restart").returncode == 0
    assert compose("up", "--wait", "--no-recreate").returncode == 0
    assert [task["title"] for task in person.http.get("/api/tasks").json()["tasks"]] == ["Still here"]


def test_inspected_containers_show_no_secrets(gateway_port):
    """No secret is in an image or in the environment of a container."""
    names = compose("ps", "--format", "{{.Name}}").stdout.split()
    assert len(names) == 6
    for name in names:
        inspected = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True).stdout
        for secret in ("PASSWORD=", "CREDENTIAL=", "ENCRYPTION_KEY=", "postgresql://"):
            assert secret not in inspected
