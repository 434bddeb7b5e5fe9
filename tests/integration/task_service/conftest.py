"""Fixtures of the tests of task_service."""

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import obstore
import pytest
import pytest_asyncio

from tests.integration.task_service.history_log import open_history_log
from tests.integration.task_service.import_calls import Worker
from tests.support.commands import command_runner
from tests.support.s3_server import BUCKET


@pytest.fixture
def command(database):
    """Function that runs a command of task_service and returns its exit status, stdout and stderr."""
    environment = {"TASKS_DATABASE_URL": database.tasks_url, "TASKS_OWNER_DATABASE_URL": database.url("tasks_owner")}
    return command_runner("task_service", "TASKS", environment)


@pytest.fixture
async def worker(system):
    """Client of the ingest API with the scope of an import worker."""
    return Worker(system, await system.new_service("imports:ingest"))


@pytest_asyncio.fixture
async def log(database):
    """Event log of an empty database."""
    async with open_history_log(database) as log:
        yield log


@pytest_asyncio.fixture
async def sealed_log(log):
    """Event log of twelve events in three blocks of four events."""
    for _ in range(3):
        await log.write(2)
        assert await log.seal() == 4
    return log


@dataclass(frozen=True)
class Stored:
    """Object store of a test, as an operator sees it."""

    url: str
    store: obstore.store.ObjectStore
    unfinished: Callable[[], list[str]]
    """Names of the leftovers of unfinished uploads."""
    parts: Callable[[], float]
    """Number of stored parts of unfinished uploads; infinite for a folder, which stores no parts."""

    def names(self) -> list[str]:
        return [found["path"] for page in obstore.list(self.store) for found in page]

    def replace(self, key: str, content: bytes | None) -> None:
        obstore.delete(self.store, key)
        if content is not None:
            obstore.put(self.store, key, content)


@pytest.fixture(params=["folder", "S3"])
def stored(request, tmp_path, monkeypatch):
    """Return a store: once a folder, and once a prefix of a real S3 server."""
    if request.param == "folder":
        folder = tmp_path / "uploads"
        store = obstore.store.LocalStore(folder, mkdir=True)
        return Stored(folder.as_uri(), store, lambda: [path.name for path in folder.rglob("*#*")], lambda: math.inf)
    server = request.getfixturevalue("s3")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    prefix = f"some/{secrets.token_hex(4)}"
    return Stored(f"s3://{BUCKET}/{prefix}", server.store(prefix), server.unfinished, server.parts)
