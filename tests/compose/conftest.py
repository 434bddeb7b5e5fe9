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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and skip them without a container engine."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    is_available = bool(here) and has_container_engine()
    for item in here:
        item.add_marker(pytest.mark.compose)
        item.add_marker(pytest.mark.timeout(900))
        if not is_available:
            item.add_marker(pytest.mark.skip(reason="no container engine is available"))


class Compose:
    """The project of these tests. Its ports are free ports of this machine."""

    def __init__(self) -> None:
        self.ports = {name: str(find_free_port()) for name in ("GATEWAY_PORT", "AUTH_PORT", "TASKS_PORT")}

    @property
    def url(self) -> str:
        """Address of the gateway."""
        return f"http://127.0.0.1:{self.ports['GATEWAY_PORT']}"

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run docker compose."""
        command = ["docker", "compose", "--project-name", PROJECT, *arguments]
        variables = {**os.environ, **self.ports, **environment}
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=variables)

    def containers(self, *services: str) -> list[str]:
        """Return the names of the running containers."""
        return self("ps", "--format", "{{.Name}}", *services).stdout.split()


@pytest.fixture(scope="session")
def compose():
    project = Compose()
    try:
        started = project("up", "--build", "--wait")
        assert started.returncode == 0, started.stdout + started.stderr + project("logs", "--tail", "30").stdout
        yield project
    finally:
        project("down", "--volumes")


@pytest.fixture
def person(compose):
    with RestApi(compose.url) as api:
        yield api.new_user()
