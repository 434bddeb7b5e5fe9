"""What the tests of task_service share."""

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import obstore
import pytest
import pytest_asyncio

from tests.integration.task_service import sealing
from tests.integration.task_service.import_calls import Worker
from tests.support.commands import command_runner
from tests.support.s3_server import BUCKET


@pytest.fixture
def command(database):
    """Runs a command to its end; answers its exit status, stdout and stderr."""
    own = {"TASKS_DATABASE_URL": database.tasks_url, "TASKS_OWNER_DATABASE_URL": database.url("tasks_owner")}
    return command_runner("task_service", "TASKS", own)


@pytest.fixture
async def worker(system):
    return Worker(system, await system.new_service("imports:ingest"))


@pytest_asyncio.fixture
async def log(database):
    """The log of a fresh database."""
    async with sealing.opened(database) as found:
        yield found


@pytest_asyncio.fixture
async def sealed(log):
    """A log of twelve events under three seals, of four events each."""
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
