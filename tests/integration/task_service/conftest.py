"""What the tests of task_service share."""

import pytest

from tests.integration.task_service.import_calls import Worker


@pytest.fixture
async def worker(system):
    return Worker(system, await system.service("imports:ingest"))
