"""What the tests of task_service share."""

import asyncio
import os
import sys

import pytest
import pytest_asyncio

from tests.integration.task_service import sealing
from tests.integration.task_service.import_calls import Worker


@pytest.fixture
def command(databases):
    """Runs a command to its end; answers its exit status, stdout and stderr."""
    own = {
        "TASKS_DATABASE_URL": databases.tasks_url,
        "TASKS_OWNER_DATABASE_URL": databases.url("tasks_owner"),
    }

    async def run(name, *arguments, **environment):
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("TASKS_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"task_service.commands.{name}",
            *arguments,
            env={**inherited, **own, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    return run


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
