"""deploy/docker/ingest.yml: imports in processes of their own."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.compose.conftest import Compose
from tests.compose.containers import kill_process, read_metric

FILES = ("-f", "docker-compose.yml", "-f", "deploy/docker/ingest.yml")
ROWS = 200_000
CREATED = 'import_rows_total{outcome="created"}'


@pytest.fixture(scope="module")
def ingest_containers(compose: Compose) -> Iterator[list[str]]:
    """Containers that only the import workers call. Afterwards the project is as before."""
    started = compose(*FILES, "up", "--wait")
    assert started.returncode == 0, started.stderr
    yield compose(*FILES, "ps", "--format", "{{.Name}}", "task_service_ingest").stdout.split()
    restored = compose("up", "--wait", "--remove-orphans")
    assert restored.returncode == 0, restored.stderr


def rows_created(containers: list[str]) -> float:
    return sum(map(partial(read_metric, sample=CREATED), containers))


def test_override_moves_imports_to_their_own_processes(compose, ingest_containers, person):
    """The added processes write all rows of an import, and the other replicas of task_service none."""
    assert len(ingest_containers) == 2
    others = compose.containers("task_service")
    before = rows_created(ingest_containers), rows_created(others)
    finished = person.wait_for_import(person.upload("title\n" + "Row\n" * 5000)["id"])
    assert (finished["state"], finished["rows_created"]) == ("succeeded", 5000)
    assert (rows_created(ingest_containers), rows_created(others)) == (before[0] + 5000, before[1])


def test_import_continues_after_killed_ingest_processes(ingest_containers, person):
    """An import loses no row if all processes that could write it are killed in the middle of its file."""
    upload = person.upload("title\n" + "Row\n" * ROWS)
    next(seen for seen in person.watch_import(upload["id"]) if seen["rows_read"])
    for container in ingest_containers:
        kill_process(container)
    rows_read = person.http.get(f"/api/v1/imports/{upload['id']}").json()["rows_read"]
    assert rows_read < ROWS, "the import was over before the processes could be killed"
    finished = person.wait_for_import(upload["id"])
    assert (finished["state"], finished["rows_created"], finished["rows_failed"]) == ("succeeded", ROWS, 0)
