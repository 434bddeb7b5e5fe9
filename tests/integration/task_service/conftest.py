"""What the tests of task_service share."""

import pytest
import pytest_asyncio

from tests.commands import commands_of
from tests.integration.task_service import sealing
from tests.integration.task_service.import_calls import Worker


@pytest.fixture
def command(databases):
    """Runs a command to its end; answers its exit status, stdout and stderr."""
    own = {"TASKS_DATABASE_URL": databases.tasks_url, "TASKS_OWNER_DATABASE_URL": databases.url("tasks_owner")}
    return commands_of("task_service", "TASKS", own)


@pytest.fixture
async def worker(system):
    return Worker(system, await system.service("imports:ingest"))


@pytest_asyncio.fixture
async def log(databases):
    """The log of a fresh database."""
    async with sealing.opened(databases) as found:
        yield found


@pytest_asyncio.fixture
async def sealed(log):
    """A log of twelve events under three seals, of four events each."""
    for _ in range(3):
        await log.write(2)
        assert await log.seal() == 4
    return log
