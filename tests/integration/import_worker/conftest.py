"""Fixtures of the tests of the worker process."""

from collections.abc import AsyncIterator

import pytest

from tests.support.embedded_servers import EmbeddedValkey


@pytest.fixture
async def redis_url(tmp_path) -> AsyncIterator[str]:
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        yield valkey.url
