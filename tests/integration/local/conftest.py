"""Fixtures for the tests of the local stack."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.supervision.data_dir_lock import exclusive_run
from deploy.local.supervision.run import Run


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """A run on a data directory of the test's own."""
    async with exclusive_run(tmp_path / "data") as run:
        yield run
