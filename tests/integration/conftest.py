"""The services in this process, a user, and the REST API for that user."""

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.rest import rest_client
from tests.support.system import Principal, System, running_system


@pytest.fixture
def tasks_settings() -> dict[str, Any]:
    """Settings of task_service that a test overrides."""
    return {}


@pytest_asyncio.fixture
async def system(database, redis_url, tmp_path: Path, tasks_settings: dict[str, Any]):
    """auth_service and task_service on a fresh database."""
    uploads = tmp_path / "uploads"
    async with running_system(database, redis_url=redis_url, uploads=uploads, tasks_settings=tasks_settings) as running:
        yield running


@pytest_asyncio.fixture
async def sonu(system: System) -> Principal:
    """A user."""
    return await system.new_user("sonu")


@pytest_asyncio.fixture
async def rest(system: System, sonu: Principal):
    """A client of the REST API with that user's token."""
    async with rest_client(system, sonu) as client:
        yield client
